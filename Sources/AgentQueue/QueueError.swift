// SPDX-License-Identifier: Apache-2.0

/// Why the queue could not do what it was asked.
public enum QueueError: Error, Hashable, Sendable {
    /// Another process has the queue open.
    case locked(path: String)
    /// The file was written by a newer agent.
    case newerSchema(path: String, found: Int64, known: Int64)
    /// There is a file, and it is not the agent's; `found` says what it is. Nothing was done to it.
    case foreign(path: String, found: String)
    /// No queue can be at this path.
    case badPath(path: String, reason: String)
    /// The folder of the queue is not there, and the agent may not make it.
    case noFolder(path: String, folder: String, errno: Int32)
    /// Another program has the file locked; `holder` says which, as far as can be told.
    case busy(path: String, holder: String)
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
        case .foreign(let path, let found):
            "\(path) is \(found), not a queue of this agent, and was left as it is. "
                + "Set queue.path to a file of the agent's own, or move this one away."
        case .badPath(let path, let reason):
            "The queue cannot be at '\(path.prefix(200).filter { $0 != "\0" })': \(reason). Set queue.path to a regular file."
        case .noFolder(let path, let folder, let errno):
            "The folder \(folder) for the queue \(path) cannot be made: \(systemMessage(errno)). "
                + "Make it as root: install -d -m 0750 -o \(userName()) \(folder)"
        case .busy(let path, let holder):
            "Another program (\(holder)) keeps the queue file \(path) locked. Close it: the agent has to write there."
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
        case .badPath: "queue_bad_path"
        case .noFolder: "queue_no_folder"
        case .busy: "queue_locked_by_other"
        case .system: "queue_system_call"
        case .full: "queue_disk_full"
        case .damaged: "queue_damaged"
        case .unreadable: "queue_unreadable"
        case .storage: "queue_storage"
        case .unavailable: "queue_unavailable"
        }
    }
    /// Whether it stays as long as nobody changes the configuration, or what it names.
    public var isOfConfiguration: Bool {
        switch self {
        case .foreign, .badPath, .noFolder, .newerSchema: true
        case .locked, .busy, .system, .full, .damaged, .unreadable, .storage, .unavailable: false
        }
    }
}
