// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Synchronization

/// A server on 127.0.0.1 that plays a script: a step for each request that arrives, one after the other.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        /// A complete answer on a connection that stays open.
        case answer(String, status: Int = 200, headers: [String] = [])
        /// These bytes, then the end of the connection.
        case bytesThenClose(String)
        /// The end of the connection without an answer.
        case close
        /// A reset in place of reading what was sent.
        case resetUnread
        /// An answer after so many seconds.
        case late(String, seconds: Double)
        /// An answer; after it the connection is dead without a word: nothing that is sent to it is acknowledged.
        case answerThenDie(String)
        /// Nothing is read, until the semaphore is signalled.
        case unread(until: DispatchSemaphore)
        /// Nothing, until the semaphore is signalled; `reached` is signalled when the request has been read.
        case silence(reached: DispatchSemaphore, until: DispatchSemaphore)
    }

    struct Request: Sendable {
        let head: String
        let body: [UInt8]
        /// Counts the connections from 1.
        let connection: Int

        /// The values of a header, in order.
        func values(_ name: String) -> [String] {
            head.split(separator: "\r\n").dropFirst().compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2, parts[0].lowercased() == name else { return nil }
                return String(parts[1].drop { $0 == " " })
            }
        }
    }

    let port: UInt16
    private let listener: Int32
    private let received = Mutex<[Request]>([])
    private let finished = DispatchGroup()

    var url: String { "http://127.0.0.1:\(port)" }

    init(_ steps: [Step]) {
        (listener, port) = Self.listen()
        finished.enter()
        DispatchQueue(label: "scripted-server").async {
            self.play(steps)
            self.finished.leave()
        }
    }

    deinit { close(listener) }

    /// What arrived, once the whole script was played.
    func requests() -> [Request] {
        finished.wait()
        return received.withLock { $0 }
    }

    /// A port on which nobody listens.
    static func closedPort() -> UInt16 {
        let (socket, port) = listen()
        close(socket)
        return port
    }

    private func play(_ steps: [Step]) {
        var connection: Int32 = -1
        var connections = 0
        var dead: [Int32] = []
        defer { for socket in dead + (connection >= 0 ? [connection] : []) { close(socket) } }
        for step in steps {
            var request: Request?
            while request == nil {
                if connection < 0 {
                    connection = acceptOne()
                    if connection < 0 { return }
                    connections += 1
                }
                if step.readsNothing { break }
                request = Self.read(connection, number: connections)
                if request == nil {
                    close(connection)
                    connection = -1
                }
            }
            if let request { received.withLock { $0.append(request) } }
            switch step {
            case .answer(let body, let status, let headers):
                Self.answer(connection, body, status, headers)
                continue
            case .late(let body, let seconds):
                // To be late is what this step is for, and libcurl's clock is the machine's.
                usleep(UInt32(seconds * 1_000_000))
                Self.answer(connection, body)
                continue
            case .answerThenDie(let body):
                // First, as the next request may come before this thread goes on. The answer still leaves.
                Self.dropAllThatArrives(at: connection)
                Self.answer(connection, body)
                dead.append(connection)
                connection = -1
                continue
            case .unread(let until):
                _ = until.wait(timeout: .now() + 20)
            case .bytesThenClose(let bytes): Self.write(connection, bytes)
            case .close: break
            case .resetUnread:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            case .silence(let reached, let until):
                reached.signal()
                _ = until.wait(timeout: .now() + 20)
            }
            close(connection)
            connection = -1
        }
    }

    private static func answer(_ connection: Int32, _ body: String, _ status: Int = 200, _ headers: [String] = []) {
        let lines = headers.map { $0 + "\r\n" }.joined()
        write(
            connection,
            "HTTP/1.1 \(status) Status\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
    }

    /// With a filter that lets no packet pass, as if the cable were cut.
    private static func dropAllThatArrives(at connection: Int32) {
        // BPF_RET | BPF_K with 0 bytes, and the structure that holds one instruction (linux/filter.h).
        var instruction: (code: UInt16, jt: UInt8, jf: UInt8, k: UInt32) = (6, 0, 0, 0)
        withUnsafeMutablePointer(to: &instruction) { first in
            var program: (count: UInt64, filter: UnsafeMutableRawPointer) = (1, UnsafeMutableRawPointer(first))
            let attachFilter: Int32 = 26
            precondition(setsockopt(connection, SOL_SOCKET, attachFilter, &program, 16) == 0)
        }
    }

    private func acceptOne() -> Int32 {
        var wanted = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, 10_000) == 1 else { return -1 }
        let connection = accept(listener, nil, nil)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return connection
    }

    /// A request, or `nil` where the connection ended before one was complete.
    private static func read(_ connection: Int32, number: Int) -> Request? {
        var bytes: [UInt8] = []
        var end: Int?
        while end == nil {
            guard receive(connection, into: &bytes) else { return nil }
            end = bytes.indices.first { bytes[$0...].starts(with: [13, 10, 13, 10]) }.map { $0 + 4 }
        }
        let head = String(decoding: bytes[..<end!], as: UTF8.self)
        let bare = Request(head: head, body: [], connection: number)
        let length = bare.values("content-length").first.flatMap { Int($0) } ?? 0
        while bytes.count < end! + length { guard receive(connection, into: &bytes) else { return nil } }
        return Request(head: head, body: [UInt8](bytes[end!...]), connection: number)
    }

    private static func receive(_ connection: Int32, into bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(connection, &chunk, chunk.count, 0)
        if count <= 0 { return false }
        bytes += chunk[..<count]
        return true
    }

    private static func write(_ connection: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                send(connection, all.baseAddress! + sent, all.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    private static func listen() -> (socket: Int32, port: UInt16) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(bind(socket, generic, length) == 0)
                precondition(Glibc.listen(socket, 16) == 0)
                precondition(getsockname(socket, generic, &length) == 0)
            }
        }
        return (socket, UInt16(bigEndian: address.sin_port))
    }
}

extension ScriptedServer.Step {
    fileprivate var readsNothing: Bool {
        switch self {
        case .resetUnread, .unread: true
        default: false
        }
    }
}
