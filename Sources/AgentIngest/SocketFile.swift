// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The file of a Unix socket that we listen on.
struct SocketFile: Sendable {
    let path: String
    private let inode: UInt64

    /// Binds a new socket. A file that is left of a dead process is replaced; one whose process lives is not.
    /// - Returns: the file, and a descriptor that is the caller's.
    static func bind(_ path: String, mode: UInt32) throws(IngestError) -> (file: SocketFile, descriptor: CInt) {
        guard var address = address(path) else { throw .listen(address: path, reason: "the path is too long") }
        try removeStale(path, &address)
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw fault(path) }
        // Before bind, so that the file never has wider permissions than asked for; chmod then undoes the umask.
        guard fchmod(descriptor, mode) == 0, call(Glibc.bind, descriptor, &address) == 0, chmod(path, mode) == 0,
            let inode = inode(path)
        else {
            let fault = fault(path)
            close(descriptor)
            throw fault
        }
        return (SocketFile(path: path, inode: inode), descriptor)
    }

    /// Removes the file, unless somebody has put another one there.
    func remove() {
        if Self.inode(path) == inode { unlink(path) }
    }

    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(IngestError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw fault(path)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = socket(
            AF_UNIX,
            CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue),
            0
        )
        guard probe >= 0 else { throw fault(path) }
        defer { close(probe) }
        // Only a refusal says that nobody is there; EAGAIN is a full backlog.
        guard call(connect, probe, &address) != 0, errno == ECONNREFUSED else { throw .socketInUse(path: path) }
        guard unlink(path) == 0 else { throw fault(path) }
    }

    private static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard (1..<room).contains(path.utf8.count), !path.utf8.contains(0) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return address
    }

    private static func call(
        _ function: (CInt, UnsafePointer<sockaddr>?, socklen_t) -> CInt,
        _ descriptor: CInt,
        _ address: inout sockaddr_un
    ) -> CInt {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private static func fault(_ path: String) -> IngestError {
        .listen(address: path, reason: ListenFault.reason(errno: errno))
    }
}
