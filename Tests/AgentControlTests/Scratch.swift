// SPDX-License-Identifier: Apache-2.0

import AgentControl
import Dispatch
import Glibc
import Testing

/// A directory of its own for a test, short enough for socket paths; removed with all it holds.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/agentd-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    var socket: String { "\(path)/c.sock" }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t) throws {
        let file = open("\(path)/\(name)", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode)
        try #require(file >= 0)
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + written, $0.count - written) }
            try #require(count > 0)
            written += count
        }
    }

    /// An executable copy of a program; returns its path.
    func copy(_ program: String, as name: String) throws -> String {
        let file = try #require(fopen(program, "r"))
        defer { fclose(file) }
        var status = stat()
        try #require(fstat(fileno(file), &status) == 0)
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        try #require(fread(&bytes, 1, bytes.count, file) == bytes.count)
        try write(name, bytes, mode: 0o700)
        return "\(path)/\(name)"
    }

    func server(_ handler: ScriptedHandler) throws -> ControlServer {
        let server = try ControlServer(path: socket, handlers: handler.handlers)
        server.start()
        return server
    }
}

/// A connection that says what it likes.
final class RawConnection {
    let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try Self.withAddress(path) { try #require(connect(descriptor, $0, $1) == 0) }
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Stops where the other end has closed.
    func write(_ bytes: [UInt8]) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + written, $0.count - written, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            written += count
        }
    }

    /// Writes from a thread of its own, then closes its half.
    func writeInBackground(_ bytes: [UInt8]) {
        let copy = dup(descriptor)
        DispatchQueue.global().async {
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(copy, $0.baseAddress! + written, $0.count - written, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { break }
                written += count
            }
            shutdown(copy, Int32(SHUT_WR))
            close(copy)
        }
    }

    /// Lines until the other end closes, or says nothing for ten seconds.
    func countLines() -> Int {
        var lines = 0
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &block, block.count)
            guard count > 0 else { return lines }
            for byte in block[..<count] where byte == UInt8(ascii: "\n") { lines += 1 }
        }
    }

    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Up to and without the next line end; what there was where the connection ended before.
    func line() -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the other end has closed the connection; waits up to ten seconds for it.
    func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = read(descriptor, &byte, 1)
        return count == 0 || (count < 0 && errno == ECONNRESET)
    }

    /// Whether the other end has closed the connection, as of now.
    func hasHungUp() -> Bool {
        var state = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&state, 1, 0) > 0 && Int32(state.revents) & POLLHUP != 0
    }

    static func withAddress<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> R) rethrows -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        return try withUnsafePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// A socket file with nobody behind it.
    static func leaveStale(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try withAddress(path) { try #require(bind(descriptor, $0, $1) == 0) }
        close(descriptor)
    }
}

/// A socket that takes a line of each connection, says something, and closes it.
final class AnsweringSocket {
    private let descriptor: Int32

    init(_ path: String, _ answer: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        try RawConnection.withAddress(path) { try #require(bind(descriptor, $0, $1) == 0) }
        try #require(listen(descriptor, 8) == 0)
        DispatchQueue.global().async {
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0 else { return }
                var byte: UInt8 = 0
                while read(accepted, &byte, 1) == 1, byte != UInt8(ascii: "\n") {}
                _ = answer.withCString { send(accepted, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                close(accepted)
            }
        }
    }

    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { close(descriptor) }
}
