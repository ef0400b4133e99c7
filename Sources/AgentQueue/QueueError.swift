// SPDX-License-Identifier: Apache-2.0

/// Why the queue could not do what it was asked.
public enum QueueError: Error, Hashable, Sendable {
    /// Another process has the queue open.
    case locked(path: String)
    /// The file was written by a newer agent.
    case newerSchema(path: String, found: Int64, known: Int64)
    /// The file is a database, but not a queue.
    case foreign(path: String)
    /// The operating system refused.
    case system(operation: String, path: String, errno: Int32)
    /// No room to grow the file. `code` is SQLite's extended result code, here and below.
    case full(operation: String, message: String, code: Int32)
    /// The file holds something else than what was written to it.
    case damaged(operation: String, message: String, code: Int32)
    /// The disk does not give what was written to it. For a while, or for good.
    case unreadable(operation: String, message: String, code: Int32)
    /// Everything else that SQLite reports, most of it from the disk.
    case storage(operation: String, message: String, code: Int32)
    /// The file is closed: the agent is stopping, or the disk failed and the queue is being opened again.
    case unavailable(reason: String)
}

extension QueueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .locked(let path):
            "Another process uses the queue \(path). Stop it, or give this agent a queue.path of its own."
        case .newerSchema(let path, let found, let known):
            "The queue \(path) has schema \(found), this agent knows \(known). Run the newer agent that wrote it."
        case .foreign(let path):
            "\(path) was a database of another application. Set queue.path to a file of the agent's own."
        case .system(let operation, let path, let errno):
            "Cannot \(operation) \(path): \(systemMessage(errno))."
        case .full(let operation, let message, _):
            "The disk is full (\(operation): \(message)). Make room; deliveries go on meanwhile."
        case .damaged(let operation, let message, let code):
            "The queue file is damaged (\(operation): \(message), SQLite code \(code))."
        case .unreadable(let operation, let message, let code):
            "The queue file cannot be read (\(operation): \(message), SQLite code \(code)). Check the disk."
        case .storage(let operation, let message, let code):
            "The queue file failed (\(operation): \(message), SQLite code \(code)). Check the disk."
        case .unavailable(let reason):
            "The queue is not open: \(reason)."
        }
    }

    /// A fixed word for metrics and JSON.
    public var code: String {
        switch self {
        case .locked: "queue_locked"
        case .newerSchema: "queue_newer_schema"
        case .foreign: "queue_foreign_file"
        case .system: "queue_system_call"
        case .full: "queue_disk_full"
        case .damaged: "queue_damaged"
        case .unreadable: "queue_unreadable"
        case .storage: "queue_storage"
        case .unavailable: "queue_unavailable"
        }
    }
}
