// SPDX-License-Identifier: Apache-2.0

/// What records use of a shard: how many they are, and how much of its time they take.
struct ShardUse {
    private(set) var records = 0
    /// Seconds.
    private(set) var time = 0.0

    /// What a record of so many bytes takes of a shard, in seconds; a shard takes so many records and bytes a second
    /// (``KinesisLimits``), and a record uses the larger part of the two.
    static func time(bytes: Int) -> Double {
        max(1 / Double(KinesisLimits.shardRecordsPerSecond), Double(bytes) / Double(KinesisLimits.shardBytesPerSecond))
    }

    mutating func add(bytes: Int) {
        records += 1
        time += Self.time(bytes: bytes)
    }

    mutating func add(_ other: ShardUse) {
        records += other.records
        time += other.time
    }
}
