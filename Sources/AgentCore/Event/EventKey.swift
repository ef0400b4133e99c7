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
        withBytes(of: text) { hasher.combine(bytes: $0) }
    }

    private static func sameBytes(_ a: String, _ b: String) -> Bool {
        guard a.utf8.count == b.utf8.count else { return false }
        return a.isEmpty || withBytes(of: a) { x in withBytes(of: b) { y in isEqual(x, y) } }
    }

    /// Without a copy, as far as the string is stored as UTF-8: all but those that come from elsewhere are.
    @inline(__always)
    private static func withBytes<R>(of text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        if let result = text.utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
            return result
        }
        var copy = text
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// Of buffers of one length, eight bytes a step.
    private static func isEqual(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer) -> Bool {
        var i = 0
        while x.count &- i >= 8 {
            let a = x.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            guard a == y.loadUnaligned(fromByteOffset: i, as: UInt64.self) else { return false }
            i &+= 8
        }
        while i < x.count {
            guard x[i] == y[i] else { return false }
            i &+= 1
        }
        return true
    }
}
