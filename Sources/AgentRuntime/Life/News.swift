// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import Logging
internal import Synchronization

/// Writes what happens into the journal, and keeps the agent's condition up to date with it.
final class News: Sendable {
    let log: Logger
    let condition: AgentCondition
    /// When something was last logged that may happen many times a second.
    private let logged = Mutex<[String: ContinuousClock.Instant]>([:])

    init(log: Logger, condition: AgentCondition) {
        self.log = log
        self.condition = condition
    }

    /// What delivery reports. Destinations that share a fault each say so once.
    func report(_ report: DeliveryReport) {
        switch report {
        case .faulted(let destination, let fault):
            let level: Logger.Level = fault.disposition.parks ? .error : .warning
            log.log(
                level: level,
                "delivery fault",
                metadata: [
                    "stream": "\(destination)", "code": "\(fault.code)", "message": "\(fault.message)",
                    "remedy": "\(fault.remedy)",
                ]
            )
        case .recovered(let destination, let outage):
            log.notice(
                "delivery resumed",
                metadata: ["stream": "\(destination)", "after_seconds": "\(outage.components.seconds)"]
            )
        case .rejected(let destination, let id, let fault):
            log.error(
                "event dead-lettered",
                metadata: [
                    "stream": "\(destination)", "id": "\(id)", "code": "\(fault.code)", "message": "\(fault.message)",
                    "remedy": "agentctl dead-letters show \(id)",
                ]
            )
        }
    }

    private static let keepAside = "Check the disk. Keep the file for an analysis, or delete it."

    /// What the queue notices.
    func notice(_ notice: QueueNotice) {
        switch notice {
        case .riskyFileSystem(let path, let kind):
            log.warning(
                "queue on a risky file system",
                metadata: ["path": "\(path)", "kind": "\(kind)", "remedy": "set queue.path to a local disk"]
            )
        case .damaged(let aside, let message, let pending, let lost):
            log.error(
                "queue file was damaged",
                metadata: [
                    "moved_to": "\(aside)", "message": "\(message)", "still_to_read": "\(pending)", "lost": "\(lost)",
                ]
            )
            condition.raise(
                "queue_damaged",
                "The queue file was damaged and is now \(aside). \(lost) events are lost. \(message)",
                remedy: Self.keepAside
            )
        case .carryingOver(let aside, let left):
            condition.raise(
                "queue_carrying_over",
                "\(left) events are still to be read from \(aside). Their streams deliver after that.",
                remedy: "Leave the file where it is until this has gone. New events are taken."
            )
        case .carriedOver(let aside, let carried, let lost):
            log.notice(
                "damaged queue file was carried over",
                metadata: ["from": "\(aside)", "carried_over": "\(carried)", "lost": "\(lost)"]
            )
            condition.clear("queue_carrying_over")
            condition.raise(
                "queue_damaged",
                "The queue file was damaged and is now \(aside). \(carried) events were carried over, \(lost) lost.",
                remedy: Self.keepAside
            )
        case .commitFailed(let message):
            log.error("commit failed", metadata: ["message": "\(message)", "remedy": "check the disk"])
        case .reopenFailed(let message):
            log.error("queue cannot be opened", metadata: ["message": "\(message)", "remedy": "check the disk"])
            condition.raise(
                "queue_unavailable",
                "The queue cannot be opened: \(message). Events are refused.",
                remedy: "Check the disk and the permissions of the queue's folder."
            )
        case .reopened:
            log.notice("queue opened again")
            condition.clear("queue_unavailable")
        case .unreadable(let message):
            log.error("queue cannot be read", metadata: ["message": "\(message)", "remedy": "check the disk"])
            condition.raise(
                "queue_unreadable",
                "\(message) What it does not give for half a minute counts as lost.",
                remedy: "Check the disk and its cables. Its streams wait; new events are taken."
            )
        case .readableAgain:
            log.notice("queue can be read again")
            condition.clear("queue_unreadable")
        case .tampered(let path):
            log.critical("queue file was deleted or replaced", metadata: ["path": "\(path)", "remedy": "restart"])
            condition.raise(
                "queue_tampered",
                "The queue file \(path) was deleted or replaced. Events are refused; queued ones are delivered.",
                remedy: "Restart the agent once 'agentctl status' shows an empty queue."
            )
        case .diskFull(let free):
            log.error("disk full", metadata: ["free_bytes": "\(free)", "remedy": "free some space"])
            condition.raise(
                "disk_full",
                "The disk has \(free) bytes left. Events are refused; queued ones are delivered.",
                remedy: "Free some space, or lower queue.min_free_disk."
            )
        case .diskHasRoom:
            log.notice("disk has room again")
            condition.clear("disk_full")
        case .queueFull(let used, let limit, let isForAll):
            let whose = isForAll ? "Events are refused" : "Events of the streams that hold most of it are refused"
            let numbers = "The queue is full (\(used) of \(limit) bytes of queue.max_bytes)."
            warnOnceAMinute("queue full", ["used_bytes": "\(used)", "max_bytes": "\(limit)", "for_all": "\(isForAll)"])
            // An agent that still takes events of others is ready.
            condition.clear(isForAll ? "queue_nearly_full" : "queue_full")
            condition.raise(
                isForAll ? "queue_full" : "queue_nearly_full",
                isForAll
                    ? "\(numbers) \(whose) until there is room."
                    : "\(numbers) \(whose): its last tenth is kept for others.",
                remedy: "See in 'agentctl status' which stream is not delivered and why, or raise queue.max_bytes."
            )
        case .queueHasRoom:
            condition.clear("queue_full")
            condition.clear("queue_nearly_full")
        case .sharesFull(let shares):
            sharesFull(shares)
        case .fileLocked(let path, let holder):
            warnOnceAMinute("queue file is locked by another program", ["path": "\(path)", "holder": "\(holder)"])
            condition.raise(
                "queue_locked",
                "Another program (\(holder)) keeps the queue file \(path) locked. Events are refused.",
                remedy: "Close that program, or let it work on a copy: agentctl and backups need no lock."
            )
        case .fileUnlocked:
            log.notice("queue file is no longer locked")
            condition.clear("queue_locked")
        case .logPinned(let path, let bytes, let holder):
            warnOnceAMinute(
                "another program keeps the queue's log from being reused",
                ["path": "\(path)", "wal_bytes": "\(bytes)", "holder": "\(holder)"]
            )
            condition.raise(
                "queue_log_pinned",
                "Another program (\(holder)) has read the queue file \(path) in one transaction for long: "
                    + "its log \(path)-wal grows with every event, and has \(bytes) bytes.",
                remedy: "Close that program before the disk is full, or let it read a copy."
            )
        case .logReleased:
            log.notice("the queue's log is reused again")
            condition.clear("queue_log_pinned")
        case .looseMode(let path, let mode, let isMended):
            log.warning(
                isMended ? "mode of a queue file set to 0600" : "queue file is open to other users",
                metadata: [
                    "path": "\(path)", "mode": "\(String(mode, radix: 8))",
                    "remedy": isMended ? "None needed: check who could read it." : "chmod 0600 \(path)",
                ]
            )
        case .deadLettersPurged(let count):
            log.error("oldest dead letters purged", metadata: ["count": "\(count)"])
        case .reserveMissing(let message):
            log.warning("no disk space could be reserved", metadata: ["message": "\(message)"])
        }
    }
    private func sharesFull(_ shares: [FullShare]) {
        guard let first = shares.first else { return condition.clear("stream_full") }
        let names = shares.prefix(5).map { "\($0.destination)" }.joined(separator: ", ")
        let others = shares.count > 5 ? " and \(shares.count - 5) more" : ""
        warnOnceAMinute(
            "share of a stream is full",
            [
                "streams": "\(names)\(others)", "used_bytes": "\(first.usedBytes)",
                "max_bytes": "\(first.limitBytes)",
            ]
        )
        condition.raise(
            "stream_full",
            "The stream's own share of the queue is used up, and its events are refused: \(names)\(others).",
            remedy: "See in 'agentctl status' why it is not delivered, or raise max_bytes of the [[stream]]."
        )
    }

    private func warnOnceAMinute(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        let now = ContinuousClock.now
        let isDue = logged.withLock { logged in
            if let last = logged["\(message)"], now - last < .seconds(60) { return false }
            logged["\(message)"] = now
            return true
        }
        if isDue { log.warning(message, metadata: metadata) }
    }
}
