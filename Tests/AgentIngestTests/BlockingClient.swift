// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

/// A client that knows nothing of the server's code. Every call ends after ten seconds at most.
final class BlockingClient {
    struct Fault: Error { let code: CInt }

    private let descriptor: CInt

    init(unix path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try connect(address)
    }

    init(tcp text: String) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(text.split(separator: ":")[1])!.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try connect(address)
    }

    private func connect<Address>(_ address: Address) throws {
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = withUnsafeBytes(of: address) {
            Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count))
        }
        guard result == 0 else { throw Fault(code: errno) }
    }

    func send(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Fault(code: errno) }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Sends `text` again and again, until the other side has taken nothing for a fifth of a second.
    /// - Returns: how often it was sent whole.
    func sendUntilStuck(_ text: String) throws -> Int {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < 64 << 20 {
            let rest = bytes[(sent % bytes.count)...]
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count > 0 {
                sent += count
            } else {
                guard errno == EAGAIN else { throw Fault(code: errno) }
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&wait, 1, 200) == 0 { return sent / bytes.count }
            }
        }
        throw Fault(code: EOVERFLOW)
    }

    func halfClose() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Up to and with the first `mark` in what comes.
    func receive(until mark: Character) throws -> String {
        var text = ""
        while !text.contains(mark) {
            let more = try receiveSome()
            if more.isEmpty { break }
            text += more
        }
        return text
    }

    /// Up to the end.
    func receiveAll() throws -> String {
        var text = ""
        while case let more = try receiveSome(), !more.isEmpty { text += more }
        return text
    }

    private func receiveSome() throws -> String {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw Fault(code: errno) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    func close() { Glibc.close(descriptor) }
}
