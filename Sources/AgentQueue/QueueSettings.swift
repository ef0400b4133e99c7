// SPDX-License-Identifier: Apache-2.0

/// What the operator sets of the queue.
public struct QueueSettings: Sendable {
    public enum WhenFull: String, Hashable, Sendable, CaseIterable {
        /// Turns new events away.
        case reject
        /// Removes the oldest events, counted as evicted.
        case dropOldest = "drop-oldest"
    }

    public enum Durability: String, Hashable, Sendable, CaseIterable {
        /// What was acknowledged survives a power cut.
        case full
        /// What was acknowledged survives a crash of the agent; a power cut may take the last second.
        case normal
    }

    /// The queue file. `<path>-wal`, `<path>-shm`, `<path>.lock` and `<path>.reserve` lie beside it.
    public var path: String
    /// For all queued events, in bytes of data and keys plus ``QueueTotals/eventOverhead`` each.
    public var maxBytes: Int64 = 4 << 30
    /// Appends are refused while the file system has less than this left, in bytes.
    public var minFreeDisk: Int64 = 256 << 20
    public var whenFull = WhenFull.reject
    /// Events older than this are removed; `nil`: kept until delivered.
    public var maxAge: Duration?
    public var durability = Durability.full
    /// Beyond either limit the oldest dead letters are purged, and said to be.
    public var maxDeadLetters: Int64 = 100_000
    public var maxDeadLetterBytes: Int64 = 256 << 20

    /// How long a request with a key is known, in milliseconds of the agent's clock.
    public var idempotencyWindowMS: Int64 = 3_600_000

    /// WAL frames (4 KiB each) after which the writer starts the WAL anew.
    var walFrames = 4000
    /// Disk kept for deletes and checkpoints on a full disk: twice what the WAL may take, and room to spare.
    var reserveBytes: Int64 = 40 << 20
    /// Between a commit and the upkeep after it: how long a settlement may be left to the operating system.
    var upkeepDelay = Duration.seconds(1)
    /// Rows of a damaged file that are carried over in one transaction: a few milliseconds.
    var carryRows = 500
    /// Whether they are carried over without being asked to. Tests do it themselves.
    var carriesOver = true
    /// How often, a fifth of a second each, a commit tries a file that another program has locked.
    var lockAttempts = 15
    /// How long the disk may fail to give what is in the file before that counts as damage.
    var readPatience = Duration.seconds(30)
    /// Pages that the file may have; 0: as many as SQLite allows. For tests of a full disk.
    var maxPages: Int64 = 0
    /// The VFS to open the file with; `nil`: SQLite's own. For tests of a failing disk.
    var vfs: String?

    public init(path: String) {
        self.path = path
    }
}
