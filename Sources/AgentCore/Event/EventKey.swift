// SPDX-License-Identifier: Apache-2.0

/// What decides an event's shard and its order: a partition key and, rarely, an explicit hash key.
///
/// Two events of one destination are ordered against each other when their keys are equal, byte for byte. Events
/// without a partition key have no order. (Strings compare here by their UTF-8, not by canonical equivalence, which
/// Kinesis does not know either.)
public struct EventKey: Sendable {
    /// 1...256 Unicode characters; empty: none.
    public let partitionKey: String
    /// Decimal, 0...2¹²⁸−1; empty: none. One that was given without a partition key serves as partition key too.
    public let explicitHashKey: String

    @inlinable
    public init(partitionKey: String, explicitHashKey: String = "") {
        self.partitionKey = partitionKey.isEmpty ? explicitHashKey : partitionKey
        self.explicitHashKey = explicitHashKey
    }

    public static let none = EventKey(partitionKey: "")

    @inlinable public var isNone: Bool { partitionKey.isEmpty }

    /// What it adds to a record's size as Kinesis counts it, in bytes.
    @inlinable public var bytes: Int { partitionKey.utf8.count }

    /// What the queue stores for it, in bytes.
    @inlinable public var storedBytes: Int { partitionKey.utf8.count + explicitHashKey.utf8.count }
}

extension EventKey: Hashable {
    public static func == (a: EventKey, b: EventKey) -> Bool {
        sameBytes(a.partitionKey, b.partitionKey) && sameBytes(a.explicitHashKey, b.explicitHashKey)
    }

    public func hash(into hasher: inout Hasher) {
        Self.feed(partitionKey, into: &hasher)
        if !explicitHashKey.isEmpty { Self.feed(explicitHashKey, into: &hasher) }
    }

    private static func feed(_ text: String, into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    private static func sameBytes(_ a: String, _ b: String) -> Bool {
        var (a, b) = (a, b)
        return a.withUTF8 { x in b.withUTF8 { y in x.elementsEqual(y) } }
    }
}
