// SPDX-License-Identifier: Apache-2.0
public import AgentCore

/// Hears what happens in the queue file. Called on the writer's queue, in order: hop off it, and do not block. What
/// is noticed while the file is being opened is told by the thread that opens it.
public protocol QueueObserver: AnyObject, Sendable {
    /// After the commit, and after those were answered whose events are in it. An event that the same commit
    /// appended and evicted again is not among `appended`.
    func committed(_ commit: Commit)
    func noticed(_ notice: QueueNotice)
}

/// What an operator should hear of.
public enum QueueNotice: Hashable, Sendable {
    /// The queue lies on a file system that may lose it: `kind` is `tmpfs`, `overlay` or `network`.
    case riskyFileSystem(path: String, kind: String)
    /// A damaged file was moved to `aside`; `pending` events may still be read from it, `lost` cannot.
    case damaged(aside: String, message: String, pending: Int64, lost: Int64)
    /// So many events are still to be looked for in `aside`; their destinations wait. Told once a second.
    case carryingOver(aside: String, left: Int64)
    /// All that `aside` gave is in the queue; counted since the agent started.
    case carriedOver(aside: String, carried: Int64, lost: Int64)
    /// A commit failed; the file is being opened again.
    case commitFailed(message: String)
    /// The file could not be opened again; tried again later.
    case reopenFailed(message: String)
    case reopened
    /// The disk does not give what is in the file. Tried again; after a while it counts as damage.
    case unreadable(message: String)
    case readableAgain
    /// The file was deleted or replaced: no new events until a restart, the queued ones are still delivered.
    case tampered(path: String)
    /// The disk is full: no new events, deliveries go on.
    case diskFull(freeBytes: Int64)
    case diskHasRoom
    /// `queue.max_bytes` is reached and events are turned away: those of all destinations, or of those that hold most.
    case queueFull(usedBytes: Int64, limitBytes: Int64, isForAll: Bool)
    case queueHasRoom
    /// Events of just these destinations are turned away because their own shares are used up; empty: of none any more.
    case sharesFull([FullShare])
    /// Another program has the file locked: appends are refused, and deletes wait.
    case fileLocked(path: String, holder: String)
    case fileUnlocked
    /// Another program reads the file in one long transaction, because of which the WAL grows.
    case logPinned(path: String, bytes: Int64, holder: String)
    case logReleased
    /// Others may read or write a file of the queue; its mode was set to 0600, where `isMended`.
    case looseMode(path: String, mode: UInt32, isMended: Bool)
    /// The limit of the dead letters was reached, and the oldest went.
    case deadLettersPurged(count: Int)
    /// The disk space set aside for a full disk could not be had.
    case reserveMissing(message: String)
}

/// A destination as the file had it when it was opened.
public struct QueuedDestination: Sendable {
    public let id: DestinationID
    public let destination: Destination
    public let isPaused: Bool
    public let queuedEvents: Int64
    public let queuedBytes: Int64
    /// ``EventID/zero`` where it has no events.
    public let first: EventID
    public let last: EventID
}
