// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import AgentControl

/// Many at once: the operator gets in, and nobody takes memory without bound.
@Suite struct ControlCrowdTests {
    private static let status = #"{"v":1,"verb":"status","with":{}}"# + "\n"
    private static let flush = #"{"v":1,"verb":"flush","with":{"timeout_seconds":600}}"# + "\n"
    private static let peek = #"{"v":1,"verb":"peek","with":{"stream":"a","limit":1}}"# + "\n"

    private func handler(_ change: (inout ScriptedHandler.Script) -> Void) -> ScriptedHandler {
        var script = ScriptedHandler.Script()
        change(&script)
        return ScriptedHandler(script)
    }

    /// Asks for the status until the server has taken so many other requests.
    private func wait(_ handler: ScriptedHandler, for count: Int, _ client: ControlClient) throws {
        func taken() -> Int { handler.requests.filter { !($0 is StatusRequest) }.count }
        while taken() < count { _ = try client.status() }
        #expect(taken() == count)
    }

    @Test func endlessFlushesLeaveTheDoorOpen() throws {
        let scratch = try Scratch()
        let handler = handler { $0.holdsFlush = true }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let flushes = try (0..<32).map { _ in try RawConnection(scratch.socket) }
        for flush in flushes { flush.write(Self.flush) }
        let client = try ControlClient(path: scratch.socket)
        try wait(handler, for: 8, client)
        for refused in flushes.dropFirst(8) {
            let line = refused.line()
            #expect(line.contains(#""code":"unavailable""#) && line.contains("8 calls wait"), "\(line)")
        }
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
        #expect(try client.ask(PeekRequest(stream: StreamReference(name: "a"), limit: 1)) == [])
        handler.release()
        for flush in flushes.prefix(8) { #expect(flush.line().contains(#""empty":true"#)) }
    }

    @Test func aFlushWhoseClientHasGoneMakesRoomForTheNext() throws {
        let scratch = try Scratch()
        let handler = handler { $0.holdsFlush = true }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let client = try ControlClient(path: scratch.socket)
        for round in 1...5 {
            var flushes = try (0..<8).map { _ in try RawConnection(scratch.socket) }
            for (number, flush) in flushes.enumerated() {
                flush.write(Self.flush)
                // Some say before that they will say no more, which hides that they go.
                if number % 2 == 0 { flush.endWriting() }
            }
            try wait(handler, for: 8 * round, client)
            flushes = []
        }
        _ = try client.status()
        #expect(handler.abandoned >= 32)
    }

    @Test func connectionsThatSayNothingMakeRoomForThoseThatDo() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        var idle: [RawConnection] = []
        for number in 0..<(4 * ControlServer.maxConnections) {
            let connection = try RawConnection(scratch.socket)
            // Half of a request is none.
            if number % 2 == 0 { connection.write(#"{"v":1,"#) }
            idle.append(connection)
            if number % 10 == 0 { #expect(try ControlClient(path: scratch.socket).status() == StatusReport()) }
        }
        #expect(try ControlClient(path: scratch.socket).status() == StatusReport())
    }

    @Test func whoFindsAllConnectionsBusyIsServedWhenOneIsNot() throws {
        let scratch = try Scratch()
        let handler = handler { $0.holdsStatus = true }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let busy = try (0..<ControlServer.maxConnections).map { _ in try RawConnection(scratch.socket) }
        for connection in busy { connection.write(Self.status) }
        let late = try RawConnection(scratch.socket)
        late.write(Self.status)
        var answered = 0
        while answered < busy.count {
            handler.release()
            var state = pollfd(fd: busy[answered].descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 1) > 0 {
                #expect(busy[answered].line().contains("uptime_seconds"))
                answered += 1
            }
        }
        while true {
            handler.release()
            var state = pollfd(fd: late.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 1) > 0 { break }
        }
        #expect(late.line().contains("uptime_seconds"))
    }

    @Test func oneStatusServesAllWhoAskMeanwhile() {
        let handler = handler { $0.holdsStatus = true }
        let queue = DispatchQueue(label: "test")
        let rounds = SharedRounds<StatusRequest>(queue: queue) { handler.status($0, reply: $1) }
        let answers = Mutex<[Int: Int]>([:])
        let ask = { (number: Int) in
            rounds.ask(StatusRequest()) { line in answers.withLock { $0[number, default: 0] += line.isEmpty ? 100 : 1 }
            }
        }
        ask(0)
        for number in 1...20 { ask(number) }
        #expect(handler.requests.count == 1)
        handler.release()
        queue.sync {}
        #expect(answers.withLock { $0 } == [0: 1])
        #expect(handler.requests.count == 2, "one for the twenty who asked while the first was made")
        handler.release()
        queue.sync {}
        #expect(answers.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0...20).map { ($0, 1) }))
        #expect(handler.requests.count == 2)
    }

    @Test func answersThatNobodyReadsTakeNoMemoryWithoutBound() throws {
        let scratch = try Scratch()
        let large = EventReport.sample(1, Payload([UInt8](repeating: 1, count: 4 << 20)))
        let handler = handler { $0.events = [large] }
        let server = try scratch.server(handler)
        defer { server.stop() }
        // Each answer is 24 MiB of escapes.
        let lazy = try (0..<12).map { _ in try RawConnection(scratch.socket) }
        let client = try ControlClient(path: scratch.socket)
        for (number, connection) in lazy.enumerated() {
            connection.write(Self.peek)
            try wait(handler, for: number + 1, client)
        }
        #expect(try client.ask(PeekRequest(stream: StreamReference(name: "a"), limit: 1)) == [large])
        let closed = lazy.filter { $0.hasHungUp() }
        #expect(closed.count >= 8, "64 MiB hold two such answers")
        #expect(try client.status() == StatusReport())
    }

    @Test func requestsThatAreNeverWholeTakeNoMemoryWithoutBound() throws {
        let scratch = try Scratch()
        let server = try scratch.server(ScriptedHandler())
        defer { server.stop() }
        var partial: [RawConnection] = []
        for _ in 0..<8 {
            let connection = try RawConnection(scratch.socket)
            connection.write([UInt8](repeating: UInt8(ascii: "x"), count: 15 << 20))
            partial.append(connection)
        }
        let client = try ControlClient(path: scratch.socket)
        let event = Payload([UInt8](repeating: 7, count: 10 << 20))
        let request = SendRequest(
            stream: StreamReference(name: "a"),
            keys: [EventKey(partitionKey: "")],
            events: [event],
            isJSON: false
        )
        #expect(try client.ask(request).accepted == 1)
        #expect(partial.filter { $0.hasHungUp() }.count >= 4)
    }

    /// More than are worked on or have their turn later, all at once.
    @Test func agentctlAsksAgainWhereOthersAskTooMuch() throws {
        let scratch = try Scratch()
        let handler = handler { $0.holdsWork = true }
        let server = try scratch.server(handler)
        defer { server.stop() }
        let others = try (0..<20).map { _ in try RawConnection(scratch.socket) }
        for other in others { other.write(Self.peek) }
        let refused = others.suffix(8).map { $0.line() }
        #expect(refused.allSatisfy { $0.contains("Others ask too much") })
        let isOver = Atomic(false)
        DispatchQueue.global().async {
            while !isOver.load(ordering: .relaxed) {
                handler.release()
                sched_yield()
            }
        }
        defer { isOver.store(true, ordering: .relaxed) }
        let client = try ControlClient(path: scratch.socket)
        #expect(try client.ask(PeekRequest(stream: StreamReference(name: "a"), limit: 1)) == [])
    }

    @Test func aServerThatGoesAwayIsASentence() throws {
        let scratch = try Scratch()
        let handler = handler { $0.holdsFlush = true }
        let server = try scratch.server(handler)
        let client = try ControlClient(path: scratch.socket)
        _ = try client.status()
        server.stop()
        for _ in 0..<2 {
            let failure = #expect(throws: ControlFailure.self) { try client.status() }
            #expect(failure?.description.contains("it closed the connection") == true)
        }
    }
}

@Suite struct StatusEncodingTests {
    /// What is written by hand is what JSONEncoder writes: a member that is added to the report is added to both.
    @Test func isThatOfJSONEncoder() throws {
        var report = StatusReport.sample
        report.agent.state = .degraded
        report.agent.problems = [.init(code: "a", message: "\"\\\n\t\r\u{1b}\u{8}\u{2028}ü🚢", remedy: "/", at: "b")]
        report.queue.oldestAgeSeconds = 1e-7
        report.agent.uptimeSeconds = 123456.789
        for report in [report, .sample, StatusReport()] {
            let written = StatusRequest.line(.success(report))
            #expect(try ControlProtocol.decodeAnswer(Array(written.dropLast())) == .success(report))
            // The same text, but for the escapes that JSON has two of.
            let text = String(decoding: written, as: UTF8.self)
            let other = String(decoding: ControlProtocol.encode(.success(report)), as: UTF8.self)
            func plain(_ text: String) -> String {
                var text = text
                for (long, short) in [("\\u0009", "\\t"), ("\\u000d", "\\r"), ("\\u0008", "\\b")] {
                    text = text.split(separator: long, omittingEmptySubsequences: false).joined(separator: short)
                }
                return text
            }
            #expect(plain(text) == plain(other))
        }
    }

    @Test func aRefusalIsOne() throws {
        let refusal = ControlError(.failed, "No.")
        let line = StatusRequest.line(.failure(refusal))
        #expect(try ControlProtocol.decodeAnswer(Array(line.dropLast())) == Result<StatusReport, _>.failure(refusal))
    }
}
