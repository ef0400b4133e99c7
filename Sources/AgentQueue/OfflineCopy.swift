// SPDX-License-Identifier: Apache-2.0
import Glibc

extension EventQueue {
    /// Opens a copy of a queue that no agent has open, for looking at it: the original is not changed, not even by
    /// SQLite's recovery.
    ///
    /// - Parameters:
    ///   - path: the queue file.
    ///   - folder: where the copy goes, as large as file and WAL together. The caller removes it.
    /// - Throws: ``QueueError/locked(path:)`` while an agent runs on it.
    public static func openCopy(of path: String, in folder: String) throws(QueueError) -> EventQueue {
        let copy = folder + "/queue.db"
        let path = try QueuePlace.resolve(path)
        try QueuePlace.checkKinds(path)
        try Ownership.check(path)
        guard FileIdentity(path) != nil else { throw .system(operation: "read", path: path, errno: ENOENT) }
        do {
            let lock = try QueueLock(queuePath: path)
            try copyFile(path, to: copy)
            if FileIdentity(path + "-wal") != nil { try copyFile(path + "-wal", to: copy + "-wal") }
            _ = consume lock
            // It is the agent's, torn or not.
            _ = try QueueLock(queuePath: copy)
        }
        var settings = QueueSettings(path: copy)
        settings.minFreeDisk = 0
        settings.reserveBytes = 0
        settings.isCopy = true
        return try open(settings)
    }
}

private func copyFile(_ path: String, to other: String) throws(QueueError) {
    let input = open(path, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw .system(operation: "read", path: path, errno: errno) }
    defer { close(input) }
    let output = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw .system(operation: "create", path: other, errno: errno) }
    defer { close(output) }
    while true {
        let count = sendfile(output, input, nil, 1 << 20)
        if count == 0 { return }
        guard count > 0 || errno == EINTR else { throw .system(operation: "copy", path: path, errno: errno) }
    }
}
