// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What tells that a file is another or was changed.
struct FileStamp: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// - Returns: `nil` where there is no such file.
    static func of(_ path: String) -> FileStamp? {
        var status = stat()
        return stat(path, &status) == 0 ? FileStamp(status) : nil
    }
}

/// A small text file.
enum TextFile {
    /// - Returns: `nil` where there is no such file.
    static func read(_ path: String) throws(CredentialError) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .unreadable(file: path, fault: String(cString: strerror(errno)))
        }
        defer { close(file) }
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
