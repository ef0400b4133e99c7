// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Testing

@testable import AgentIngest

/// Memory, time, and the number of things.
struct LimitTests {
    static func head(_ length: Int, _ type: String = "application/jsonl") -> String {
        "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\nContent-Length: \(length)\r\n\r\n"
    }

    static func server() -> TestServer {
        TestServer(answersAtOnce: false) {
            $0.maxRequestBytes = 10_000
            $0.memoryBytes = 20_000
        }
    }

    @Test func bodiesWaitForRoomInTheirOrder() throws {
        let server = Self.server()
        let connections = try (0..<4).map { _ in try server.connect() }
        for connection in connections { try connection.send(Self.head(9000)) }
        let body = String(repeating: "1", count: 8999) + "\n"
        for connection in connections { try connection.send(body) }
        // Two fit; the others are not looked at before these are answered.
        #expect(server.queue.waiting.count == 2)
        #expect(server.loop.budget.isExhausted)
        server.queue.store(1)
        server.turn()
        #expect(try connections.map { try $0.replies().count } == [1, 0, 0, 0])
        #expect(server.queue.waiting.count == 2)
        server.queue.store(1)
        server.turn()
        server.queue.store()
        server.turn()
        server.queue.store()
        #expect(try connections.map { try $0.replies().count } == [0, 1, 1, 1])
        #expect(server.loop.budget.held == 0)
    }

    @Test func nobodyStartsWhileNothingIsLeft() throws {
        let server = Self.server()
        let holders = try (0..<2).map { _ in try server.connect() }
        for holder in holders { try holder.send(post(String(repeating: "1", count: 9300))) }
        let (other, idle) = (try server.connect(), try server.connect())
        try other.send(post("1"))
        #expect(server.queue.waiting.count == 2)
        #expect(!other.asksToRead())
        #expect(!idle.asksToRead())
        server.queue.store()
        server.turn()
        server.queue.store()
        #expect(try other.reply().status == 202)
        #expect((other.readCount, idle.readCount) == (1, 1))
    }

    @Test func chunkedBodiesDoNotWaitForEachOtherForEver() throws {
        let server = TestServer {
            $0.maxRequestBytes = 300_000
            $0.memoryBytes = 300_000
        }
        let connections = try (0..<6).map { _ in try server.connect() }
        for connection in connections {
            try connection.send(
                "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
        }
        let chunk = "4000\r\n" + String(repeating: "a", count: 0x4000) + "\r\n"
        for _ in 0..<16 {
            for connection in connections { try connection.send(chunk) }
            #expect(server.loop.budget.held <= 300_000 * 2)
        }
        for connection in connections { try connection.send("0\r\n\r\n") }
        for connection in connections { #expect(try connection.replies().map(\.status) == [202]) }
        #expect(server.queue.stored.map(\.data.count) == Array(repeating: 0x40000, count: 6))
        #expect(server.loop.budget.held == 0)
    }

    @Test func aLostConnectionGivesBackWhatItHeld() throws {
        let server = Self.server()
        let connections = try (0..<3).map { _ in try server.connect() }
        for connection in connections { try connection.send(Self.head(9000)) }
        for connection in connections { try connection.channel.close().wait() }
        #expect(server.loop.budget.held == 0)
        #expect(!server.loop.budget.isExhausted)
    }

    // MARK: Time

    @Test(arguments: ["GET /heal", LimitTests.head(10), LimitTests.head(10) + "123"])
    func whoIsSlowIsTold(begun: String) throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(begun)
        server.advance(.seconds(9))
        #expect(try connection.drainOutput() == "")
        server.advance(.seconds(60))
        let reply = try connection.reply()
        #expect((reply.status, reply.slug, reply.fields["connection"]) == (408, "timeout", "close"))
        server.advance(.seconds(4))
        #expect(!connection.isOpen)
        #expect(server.loop.budget.held == 0)
    }

    @Test func whoReadsNoRepliesIsReadNoMoreAndClosed() throws {
        let server = TestServer()
        let connection = try server.connect()
        #expect(connection.asksToRead())
        connection.channel.isWritable = false
        connection.channel.pipeline.fireChannelWritabilityChanged()
        #expect(!connection.asksToRead())
        let before = connection.readCount
        connection.channel.isWritable = true
        connection.channel.pipeline.fireChannelWritabilityChanged()
        #expect(connection.readCount == before + 1)
        connection.channel.isWritable = false
        connection.channel.pipeline.fireChannelWritabilityChanged()
        server.advance(.seconds(63))
        #expect(!connection.isOpen)
    }

    @Test func idleConnectionsAreClosed() throws {
        let server = TestServer(answersAtOnce: false) { $0.idleTimeout = .seconds(5) }
        let (idle, busy, silent) = (try server.connect(), try server.connect(), try server.connect(isLocal: true))
        let lines = try server.connect(isLocal: true)
        try busy.send(post("1"))
        try lines.send(LinesTests.line("1"))
        server.advance(.seconds(8))
        #expect(!idle.isOpen)
        #expect(!silent.isOpen)
        #expect(busy.isOpen)
        #expect(lines.isOpen)
        server.queue.store()
        server.turn()
        server.advance(.seconds(8))
        #expect(!busy.isOpen)
        #expect(!lines.isOpen)
    }

    // MARK: The end

    @Test func drainingAnswersWhatIsInProgress() throws {
        let server = TestServer(answersAtOnce: false)
        let (idle, busy, lines, half) = (
            try server.connect(), try server.connect(), try server.connect(isLocal: true), try server.connect()
        )
        try busy.send(post("1"))
        try lines.send(LinesTests.line("1") + LinesTests.line("2") + "{\"event\"")
        try half.send(Self.head(2) + "1")
        let drained = server.loop.drain()
        server.turn()
        #expect(!idle.isOpen)
        server.queue.store()
        #expect(try busy.reply().fields["connection"] == "close")
        #expect(try lines.drainOutput() == "{\"acked\":2}\n")
        try half.send("2")
        server.queue.store()
        #expect(try half.reply().fields["connection"] == "close")
        for connection in [busy, lines, half] { connection.halfClose() }
        server.turn()
        try drained.wait()
        #expect(server.queue.storedTexts == ["1", "1", "2", "12"])
    }

    @Test func whoWaitsForKinesisIsToldThatTheEventIsKept() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(put(FrontDoorTests.event))
        #expect(try connection.drainOutput() == "")
        _ = server.loop.drain()
        #expect(try connection.reply().status == 202)
    }
}
