// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// What tells that a file is another or was changed.
struct FileStamp: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    /// When its content changed, and when that or its permissions did.
    private let modified: Moment
    private let changed: Moment

    private struct Moment: Equatable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) { (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec) }
    }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Moment(status.st_mtim)
        changed = Moment(status.st_ctim)
    }

    /// - Returns: `nil` where there is no such file.
    static func of(_ path: String) -> FileStamp? {
        var status = stat()
        return stat(path, &status) == 0 ? FileStamp(status) : nil
    }
}

/// Tells when a file is another or was changed.
struct FileWatch {
    private static let interval: Duration = .seconds(2)

    private let path: String
    private var stamp: FileStamp?
    private var lookedAt: Instant?

    /// - Parameter path: Empty: no file, which never changes.
    init(_ path: String) { self.path = path }

    /// Whether it changed since the last call that said so. Looks at the file every other second at most.
    mutating func hasChanged(at now: Instant) -> Bool {
        if path.isEmpty { return false }
        if let lookedAt, now - lookedAt < Self.interval { return false }
        let (before, isFirst) = (stamp, lookedAt == nil)
        stamp = FileStamp.of(path)
        lookedAt = now
        return !isFirst && stamp != before
    }
}

/// A small text file.
enum TextFile {
    /// - Returns: `nil` where there is no such file; /dev/null and its like are none.
    static func read(_ path: String) throws(CredentialError) -> String? {
        // A FIFO would block until somebody writes to it.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .unreadable(file: path, fault: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw .unreadable(file: path, fault: String(cString: strerror(errno)))
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFCHR: return nil
        default: throw .unreadable(file: path, fault: "it is not a regular file")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .unreadable(file: path, fault: String(cString: strerror(errno)))
            }
            bytes += chunk[..<count]
            if bytes.count > 1 << 20 { throw .unreadable(file: path, fault: "it is larger than 1 MiB") }
        }
    }
}
