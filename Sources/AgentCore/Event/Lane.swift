// SPDX-License-Identifier: Apache-2.0

/// One of 256 equal parts of the 128-bit hash space, by its top byte: what is spilled together when too many events
/// of a destination are blocked. Shards are ranges of the same space, so a throttled shard covers whole lanes.
public typealias Lane = UInt8

extension EventKey {
    /// The point of the hash space where Kinesis puts the key: its explicit hash key, else MD5 of its partition key.
    public var hashPoint: UInt128 {
        if !explicitHashKey.isEmpty, let given = UInt128(explicitHashKey) { return given }
        return MD5.digest(partitionKey)
    }

    public var lane: Lane { Lane(truncatingIfNeeded: hashPoint >> 120) }
}

/// A set of lanes.
public struct LaneSet: Hashable, Sendable {
    private var words: SIMD4<UInt64> = .zero

    public init() {}

    public var isEmpty: Bool { words == .zero }

    public func contains(_ lane: Lane) -> Bool {
        words[Int(lane >> 6)] >> UInt64(lane & 63) & 1 == 1
    }

    public mutating func insert(_ lane: Lane) { words[Int(lane >> 6)] |= 1 << UInt64(lane & 63) }
    public mutating func remove(_ lane: Lane) { words[Int(lane >> 6)] &= ~(1 << UInt64(lane & 63)) }
}
