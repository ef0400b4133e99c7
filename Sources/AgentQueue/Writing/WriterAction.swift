// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What is tried in one transaction.
struct Transaction {
    enum Job {
        /// The work that was brought.
        case work
        /// Counts, so that all that was left to the operating system is synced with them.
        case sync
        /// A slice of what is too old.
        case expire
        /// A slice of the rows of a damaged file.
        case carry
    }

    var work = Work()
    let job: Job
    /// Whether it must survive a power cut.
    let isSynced: Bool
}

/// What became of a transaction.
enum TransactionOutcome {
    case done(Draft)
    /// Rolled back: the file is not where it was.
    case tampered
    /// Rolled back: nothing of it is stored. `freeBytes`: what the disk has left, where it was full; `nowNS`: since boot.
    case failed(QueueError, freeBytes: Int64, nowNS: Int64)
    /// COMMIT failed: it may be stored or not. `serial` is what the file says if it is.
    case undecided(Draft, serial: Int64, QueueError)
}

/// What the machine wants done: all of it, in this order. What says so is answered before the next one is asked for.
enum WriterAction {
    /// Answer with ``WriterMachine/ended(_:_:)``.
    case transact(Transaction)
    /// To be brought again, as if it was new.
    case bring(Work)
    /// It is committed: tell everybody, and see to the WAL.
    case conclude(Draft)
    /// The same, of a commit that an opened file turned out to hold.
    case report(Draft)
    /// Answer those who made the queue longer, and count what is refused for good.
    case refuse([AppendRequest], [Order], AppendRefusal)
    /// Their senders are told that nobody knows; nothing is counted.
    case leaveOpen([AppendRequest], AppendRefusal)
    /// Their senders were told that nobody knew; now they are known to be refused.
    case count([AppendRequest], AppendRefusal)
    case reject([Order], QueueError)
    /// Close the file and open it again. Answer with ``WriterMachine/reopened(serial:known:)`` or
    /// ``WriterMachine/reopenFailed(_:)``.
    case reopen
    /// Close the file, move it aside and make a new one. Answer with ``WriterMachine/replaced(_:)`` or
    /// ``WriterMachine/replaceFailed(_:)``.
    case replace(because: QueueError)
    /// The file stays closed; call ``WriterMachine/retryDue()`` later.
    case close(because: QueueError, retryMS: Int)
    /// Answer with ``WriterMachine/reserveReleased(_:for:freeBytes:)``.
    case releaseReserve(for: ReserveUse)
    /// Start the WAL anew if it has that many frames.
    case restartLog(atLeast: Int?)
    case planUpkeep
    case setDiskFull(Bool)
    case setTampered
    case tellLogPinned
    case notice(QueueNotice)
}

/// What the disk that was set aside is wanted for.
enum ReserveUse {
    case transaction(Transaction, freeBytes: Int64)
    /// `failure`: how replacing the file for `damage` failed.
    case replacing(damage: QueueError, failure: QueueError)
    case checkpoint(atLeast: Int?, QueueError)
}
