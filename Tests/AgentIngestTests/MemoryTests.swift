// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Testing

@testable import AgentIngest

/// Clients that hold memory and do not go on.
struct MemoryTests {
    private static func server(answersAtOnce: Bool = true) -> TestServer {
        TestServer(answersAtOnce: answersAtOnce) {
            $0.maxRequestBytes = 1 << 20
            $0.memoryBytes = 1 << 20
        }
    }

    /// A client that announces a large body and sends `bytes` of it.
    private static func holder(_ server: TestServer, _ bytes: Int) throws -> TestConnection {
        let connection = try server.connect()
        try connection.send(LimitTests.head(1 << 20))
        if bytes > 0 { try connection.send(String(repeating: "1", count: bytes)) }
        return connection
    }

    @Test func whatIsAnnouncedCostsNothing() throws {
        let server = Self.server()
        let holders = try (0..<100).map { _ in try Self.holder(server, 0) }
        #expect(server.loop.budget.incoming < 100 << 10)
        #expect(try server.reply(to: post("1")).status == 202)
        #expect(holders.count { $0.isOpen } == 100)
    }

    @Test func smallRequestsFindRoomWhereLargeOnesHoldAll() throws {
        let server = Self.server()
        let holders = try (0..<4).map { _ in try Self.holder(server, 250_000) }
        #expect(!holders[3].asksToRead() || !holders[2].asksToRead())
        #expect(try server.reply(to: post("1")).status == 202)
        #expect(try server.reply(to: "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200)
        let parts = try server.connect()
        try parts.send("POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        #expect(parts.asksToRead())
    }

    @Test func theLongestSilentGoWhenTooMuchCameAtOnce() throws {
        let server = Self.server()
        let holders = try (0..<8).map { _ in try Self.holder(server, 250_000) }
        #expect(server.loop.budget.incoming <= 5 << 18)
        let replies = try holders.map { try $0.drainOutput() }
        #expect(replies.map { $0.hasPrefix("HTTP/1.1 408") } == [true, true, true, true, false, false, false, false])
        #expect(server.notices.told == [.memoryShort(closed: 2)])
        // Minutes later it is over, and what is free was given back.
        for holder in holders { try? holder.channel.close().wait() }
        _ = try server.connect()
        server.advance(.seconds(70))
        #expect(server.notices.told.contains(.memoryEnough))
    }

    @Test func aBodyThatIsWholeWaitsForItsTurn() throws {
        let server = Self.server(answersAtOnce: false)
        let body = String(repeating: "1\n", count: 4000)
        let connections = try (0..<3).map { _ in try server.connect() }
        for connection in connections { try connection.send(post(body, type: "application/jsonl")) }
        // Each takes 640 kB with its events.
        #expect(server.queue.waiting.map(\.events.count) == [4000])
        #expect(server.loop.budget.pending < 1 << 20)
        let small = try server.connect()
        try small.send(post("2"))
        #expect(server.queue.waiting.map(\.events.count) == [4000, 1])
        for _ in 0..<3 {
            server.queue.store()
            server.turn()
        }
        for connection in connections { #expect(try connection.reply().body.contains("\"accepted\":4000")) }
        #expect(server.loop.budget.held == 0)
    }

    @Test func moreEventsThanMayBeAreNotBuilt() throws {
        let server = Self.server()
        let reply = try server.reply(to: post(String(repeating: "1\n", count: 4097), type: "application/jsonl"))
        #expect((reply.status, reply.slug) == (413, "too_many_events"))
        #expect(
            try server.reply(to: post(String(repeating: "1\n\n", count: 4096), type: "application/jsonl")).status == 202
        )
    }

    @Test func noRequestIsLookedAtWhileAnswersAreNotRead() throws {
        let server = TestServer()
        let connection = try server.connect()
        connection.setReading(false)
        try connection.send(String(repeating: "GET /nowhere/x/y HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 100))
        #expect(try connection.drainOutput() == "")
        #expect(server.loop.budget.incoming > 4000)
        connection.setReading(true)
        #expect(try connection.replies().map(\.status) == Array(repeating: 404, count: 100))
        #expect(server.loop.budget.held == 0)
    }

    @Test func aConnectionsRequestsDoNotKeepTheOthersWaiting() throws {
        let server = TestServer(answersAtOnce: false)
        let (greedy, other) = (try server.connect(), try server.connect())
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try greedy.channel.writeInbound(ByteBuffer(string: String(repeating: request, count: 200)))
        try other.channel.writeInbound(ByteBuffer(string: post("1")))
        // The queue hears of the other before all of the first are answered.
        #expect(server.loop.connections.count == 2)
        let early = try greedy.channel.readAll()
        #expect((1...16).contains(early))
        let late = try greedy.replies().count
        #expect(early + late == 200)
    }

    @Test func badLinesDoNotKeepTheOthersWaiting() throws {
        let server = TestServer()
        let lines = try server.connect(isLocal: true)
        try lines.channel.writeInbound(ByteBuffer(string: String(repeating: "{}\n", count: 5000)))
        let early = try lines.channel.readAll(of: "missing_member")
        #expect((1...500).contains(early))
        let late = try lines.drainOutput()
        #expect(early + late.split(separator: "missing_member").count - 1 == 5000)
        #expect(late.hasSuffix("{\"acked\":5000}\n"))
    }

    @Test func aLineThatIsNotFinishedGivesWayAndIsNamed() throws {
        let server = Self.server()
        let lines = try (0..<6).map { _ in try server.connect(isLocal: true) }
        for line in lines { try line.send("{\"event\":\"" + String(repeating: "a", count: 250_000)) }
        #expect(try lines[0].drainOutput().hasPrefix("{\"line\":1,\"error\":\"timeout\""))
        #expect(server.loop.budget.incoming <= 5 << 18)
    }

    @Test func idleConnectionsHoldNothing() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(post(String(repeating: "1", count: 100_000)))
        #expect(try connection.reply().status == 202)
        #expect(server.loop.budget.held == 0)
    }
}

extension EmbeddedChannel {
    /// How many answers are written so far, without a turn of the loop.
    fileprivate func readAll(of mark: String = "HTTP/1.1 200") throws -> Int {
        var text = ""
        while let buffer = try readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text.split(separator: mark, omittingEmptySubsequences: false).count - 1
    }
}
