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
        // Each sends a part for each time that it is read, as a socket that is not read takes no more.
        var sent = Array(repeating: 0, count: 6)
        let before = connections.map(\.readCount)
        for _ in 0..<200 {
            for (index, connection) in connections.enumerated() where sent[index] <= 16 {
                if connection.readCount - before[index] == sent[index] { _ = connection.asksToRead() }
                guard connection.readCount - before[index] > sent[index] else { continue }
                sent[index] += 1
                try connection.send(sent[index] <= 16 ? chunk : "0\r\n\r\n")
            }
            #expect(server.loop.budget.incoming <= 300_000 * 2)
        }
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
