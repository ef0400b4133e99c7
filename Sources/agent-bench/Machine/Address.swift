// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

/// Where a server listens on this machine: `127.0.0.1:8077`, or the path of a Unix socket.
enum Address: Hashable, CustomStringConvertible, ExpressibleByArgument {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    init?(argument: String) {
        if argument.hasPrefix("/") {
            self = .unix(path: argument)
            return
        }
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        let host = String(argument[..<colon])
        self = .tcp(host: host == "localhost" ? "127.0.0.1" : host, port: port)
    }

    var description: String {
        switch self {
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): path
        }
    }

    /// A connected, blocking socket.
    func connect() throws(BenchError) -> Int32 {
        switch self {
        case .tcp(let host, let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
                throw .badAddress("'\(self)' is not an address that can be driven: give IPv4:PORT or a path.")
            }
            let descriptor = try connect(AF_INET, &address, MemoryLayout<sockaddr_in>.size)
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            return descriptor
        case .unix(let path):
            var address = try UnixAddress.make(path)
            return try connect(AF_UNIX, &address, MemoryLayout<sockaddr_un>.size)
        }
    }

    private func connect<T>(_ family: Int32, _ address: inout T, _ size: Int) throws(BenchError) -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", object: description, errno: errno) }
        let result = withUnsafeBytes(of: &address) {
            Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(size))
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw .system(call: "connect", object: description, errno: number)
        }
        return descriptor
    }

    /// A loopback port that nobody used a moment ago.
    static func freePort() throws(BenchError) -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", object: "127.0.0.1", errno: errno) }
        defer { close(descriptor) }
        return try bindToFreePort(descriptor)
    }

    /// Binds a socket to a port of loopback that is free.
    static func bindToFreePort(_ descriptor: Int32) throws(BenchError) -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return bind(descriptor, pointer, size) == 0 && pointer.map { getsockname(descriptor, $0, &size) } == 0
        }
        guard isBound else { throw .system(call: "bind", object: "127.0.0.1", errno: errno) }
        return UInt16(bigEndian: address.sin_port)
    }
}

enum UnixAddress {
    static func make(_ path: String) throws(BenchError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        guard fits else {
            throw .badDirectory("\(path) is too long for a Unix socket (107 bytes). Choose a shorter --directory.")
        }
        return address
    }
}
