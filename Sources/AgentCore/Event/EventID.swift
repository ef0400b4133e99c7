// SPDX-License-Identifier: Apache-2.0

/// The agent's own number of an event: grows with every event of the queue file, over all destinations, and is
/// never used twice. If one event was acknowledged before another was sent, its id is the smaller one.
public struct EventID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    @inlinable public init(rawValue: Int64) { self.rawValue = rawValue }
    @inlinable public init(_ value: Int64) { self.rawValue = value }

    /// Before every event: the first id handed out is 1.
    public static let zero = EventID(0)

    @inlinable public static func < (a: EventID, b: EventID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

/// The number of a destination in the queue file; never reused within one file.
public struct DestinationID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    @inlinable public init(rawValue: Int64) { self.rawValue = rawValue }
    @inlinable public init(_ value: Int64) { self.rawValue = value }

    @inlinable public static func < (a: DestinationID, b: DestinationID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}
