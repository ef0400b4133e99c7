// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The shards of a stream: ranges of the hash space, each with its two limits.
struct Shards {
    /// What one shard takes a second.
    struct Limits {
        var records = 1000.0
        var bytes = 1_000_000.0
    }

    private struct Shard {
        let first: UInt128
        var records: Double
        var bytes: Double
        var at: Instant
        var isChoked = false
    }

    private let limits: Limits
    private var shards: [Shard] = []
    /// Shards get new names when the stream is split or merged.
    private var generation = 0

    init(count: Int, limits: Limits, now: Instant) {
        self.limits = limits
        split(into: count, now: now)
    }

    var count: Int { shards.count }

    /// Resharding: other ranges, and buckets that start full.
    mutating func split(into count: Int, now: Instant) {
        generation += 1
        let width = UInt128.max / UInt128(count) + (count == 1 ? 0 : 1)
        shards = (0..<count).map {
            Shard(first: UInt128($0) * width, records: limits.records, bytes: limits.bytes, at: now)
        }
    }

    /// From now on the shard takes nothing.
    mutating func choke(_ index: Int) {
        if shards.indices.contains(index) { shards[index].isChoked = true }
    }

    func name(of point: UInt128) -> String { "shardId-\(generation)-\(index(of: point))" }

    func index(of point: UInt128) -> Int { (shards.lastIndex { $0.first <= point }) ?? 0 }

    /// The shard that takes a record, or `nil` where that shard has no room for it now. (A record larger than a second's
    /// worth passes when the bucket is full.)
    mutating func admit(_ point: UInt128, bytes: Int, now: Instant) -> Int? {
        let index = index(of: point)
        var shard = shards[index]
        if shard.isChoked { return nil }
        let seconds = (now - shard.at).inSeconds
        shard.records = min(limits.records, shard.records + seconds * limits.records)
        shard.bytes = min(limits.bytes, shard.bytes + seconds * limits.bytes)
        shard.at = now
        let admits = shard.records >= 1 && (shard.bytes >= Double(bytes) || shard.bytes == limits.bytes)
        if admits {
            shard.records -= 1
            shard.bytes -= Double(bytes)
        }
        shards[index] = shard
        return admits ? index : nil
    }
}
