// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Why a Unix socket could not be made or reached.
public enum UnixSocketError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Longer than the 107 bytes that an address holds, or empty.
    case badPath(String)
    /// Another process listens there.
    case inUse(path: String)
    /// There is a file of another kind at the path; it is left alone.
    case notASocket(path: String)
    /// `errno` of the system call named.
    case system(call: String, path: String, errno: Int32)

    public var description: String {
        switch self {
        case .badPath(let path): "The path '\(path)' is not one that a Unix socket can have: 1 to 107 bytes."
        case .inUse(let path): "Another process listens on \(path). Stop it, or configure another path."
        case .notASocket(let path): "\(path) is there and is not a socket. Move it away, or configure another path."
        case .system(let call, let path, let number): "\(call) \(path): \(String(cString: strerror(number)))"
        }
    }
}

enum UnixSocket {
    /// Listens at `path`. The socket file never has more permissions than `mode`, and belongs to `group` where the
    /// system has such a group and lets this process give files to it.
    ///
    /// A socket file that is there already is removed only after nobody answered a connection to it.
    static func listen(path: String, mode: mode_t, group: String) throws(UnixSocketError) -> Int32 {
        let descriptor = try make(path)
        do throws(UnixSocketError) {
            // Linux gives the file the mode of the socket's inode, so that there is no moment with a wider one.
            _ = fchmod(descriptor, mode)
            if try !bind(descriptor, path) {
                try removeStale(path)
                guard try bind(descriptor, path) else { throw .inUse(path: path) }
            }
            guard chmod(path, mode) == 0 else { throw .system(call: "chmod", path: path, errno: errno) }
            if let group = getgrnam(group) {
                // Not being allowed to leaves the file to the agent's own group: less access, not more.
                _ = chown(path, uid_t.max, group.pointee.gr_gid)
            }
            guard Glibc.listen(descriptor, 256) == 0 else { throw .system(call: "listen", path: path, errno: errno) }
            setNonBlocking(descriptor)
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// A connected, blocking socket.
    static func connect(path: String) throws(UnixSocketError) -> Int32 {
        let descriptor = try make(path)
        let result = try retrying(path) { Glibc.connect(descriptor, $0, $1) }
        if result == 0 { return descriptor }
        close(descriptor)
        throw .system(call: "connect", path: path, errno: result)
    }

    static func setNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    private static func make(_ path: String) throws(UnixSocketError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", path: path, errno: errno) }
        return descriptor
    }

    /// - Returns: `false` where there is something at the path.
    private static func bind(_ descriptor: Int32, _ path: String) throws(UnixSocketError) -> Bool {
        switch try retrying(path, { Glibc.bind(descriptor, $0, $1) }) {
        case 0: return true
        case EADDRINUSE: return false
        case let number: throw .system(call: "bind", path: path, errno: number)
        }
    }

    private static func removeStale(_ path: String) throws(UnixSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system(call: "stat", path: path, errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        do {
            close(try connect(path: path))
        } catch .system(_, _, ECONNREFUSED) {
            guard unlink(path) == 0 || errno == ENOENT else {
                throw .system(call: "unlink", path: path, errno: errno)
            }
            return
        }
        throw .inUse(path: path)
    }

    /// Calls `body` with the address of `path` until no signal interrupts it; returns 0 or its `errno`.
    private static func retrying(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(UnixSocketError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path), !bytes.contains(0) else {
            throw .badPath(path)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                while true {
                    if body(address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 { return 0 }
                    if errno != EINTR { return errno }
                }
            }
        }
    }
}
