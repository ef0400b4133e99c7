// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where the queue lies: looked at before anything there is opened or made.
enum QueuePlace {
    /// What lies beside the queue file, with the file itself.
    static let suffixes = ["", "-wal", "-shm", "-journal", ".lock", ".reserve", ".salvage"]

    /// Room in a name for the longest suffix, `.damaged-20260131T235959Z-99-journal`.
    private static let mostSuffixBytes = 40
    // Of linux/limits.h; the first counts the zero at the end.
    private static let mostPathBytes = 4095
    private static let mostNameBytes = 255

    /// The path of the file itself, where `path` is a symbolic link to it; the queue's other files lie beside that.
    ///
    /// - Throws: ``QueueError/badPath(path:reason:)`` where there can be no queue.
    static func resolve(_ path: String) throws(QueueError) -> String {
        var resolved = path
        try check(resolved)
        // As many as the system follows: <https://man7.org/linux/man-pages/man7/path_resolution.7.html>.
        for _ in 0..<40 {
            guard let target = readLink(resolved) else { return resolved }
            resolved = target.hasPrefix("/") ? target : "\(folder(of: resolved))/\(target)"
            try check(resolved)
        }
        throw .badPath(path: path, reason: "its symbolic links lead in a circle")
    }

    private static func check(_ path: String) throws(QueueError) {
        guard !path.isEmpty else { throw .badPath(path: path, reason: "the path is empty") }
        guard !path.utf8.contains(0) else { throw .badPath(path: path, reason: "the path has a NUL in it") }
        let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        guard !name.isEmpty, name != ".", name != ".." else { throw .badPath(path: path, reason: "it names a folder") }
        guard path.utf8.count + mostSuffixBytes <= mostPathBytes, name.utf8.count + mostSuffixBytes <= mostNameBytes
        else {
            let most = "a path may have \(mostPathBytes - mostSuffixBytes), a name \(mostNameBytes - mostSuffixBytes)"
            throw .badPath(path: path, reason: "the path is too long, with \(path.utf8.count) bytes (\(most))")
        }
    }

    private static func readLink(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: mostPathBytes + 1)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { chars in
                chars.baseAddress.map { readlink(path, $0, chars.count) } ?? 0
            }
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    /// Makes the folders that are missing, for the agent and its group.
    ///
    /// - Throws: ``QueueError/noFolder(path:folder:errno:)`` where it may not.
    static func makeFolder(of path: String) throws(QueueError) {
        var missing: [String] = []
        var next = folder(of: path)
        while FileIdentity(next) == nil, errno == ENOENT {
            missing.append(next)
            let parent = folder(of: next)
            if parent == next { break }
            next = parent
        }
        for folder in missing.reversed() {
            guard mkdir(folder, 0o750) == 0 || errno == EEXIST else {
                throw .noFolder(path: path, folder: missing[0], errno: errno)
            }
            syncFolder(of: folder)
        }
    }

    /// - Throws: ``QueueError/badPath(path:reason:)`` where something else than a regular file lies at the path or
    ///   beside it: a FIFO would be waited for, without end.
    static func checkKinds(_ path: String) throws(QueueError) {
        for suffix in suffixes {
            guard let kind = kind(path + suffix) else { continue }
            throw .badPath(path: path, reason: "\(path + suffix) is \(kind)")
        }
    }

    /// What a path names, if it is something else than a regular file.
    private static func kind(_ path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: "a folder"
        case S_IFIFO: "a FIFO"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        case S_IFLNK: "a symbolic link"
        default: "no regular file"
        }
    }

    /// Takes from others what they may do with the queue's files, and tells of it: there is no harm in a mode that
    /// cannot be changed, for the agent.
    static func closeToOthers(_ path: String, _ observer: (any QueueObserver)?) {
        for suffix in suffixes {
            var status = stat()
            guard lstat(path + suffix, &status) == 0, status.st_mode & 0o077 != 0 else { continue }
            let isMended = chmod(path + suffix, 0o600) == 0
            observer?.noticed(
                .looseMode(path: path + suffix, mode: UInt32(status.st_mode & 0o777), isMended: isMended)
            )
        }
    }
}
