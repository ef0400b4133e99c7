// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

struct FramingTests {
    static let chunked =
        "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        + "Content-Type: text/plain\r\n\r\n3;a=\"b\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n"

    @Test func requestsMayBeCutAnywhere() throws {
        let input = Array(
            (post("{\"a\":1}") + Self.chunked + "\r\n" + post("1\n2\n", type: "application/jsonl")
                + put(#"{"Data":{"x":1},"PartitionKey":"k"}"#) + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .utf8
        )
        for cut in 0...input.count {
            let server = TestServer()
            server.directory.setDelivering(false)
            let connection = try server.connect()
            try connection.send(Array(input[..<cut]))
            try connection.send(Array(input[cut...]))
            #expect(try connection.replies().map(\.status) == [202, 202, 202, 202, 200])
            #expect(server.queue.storedTexts == ["{\"a\":1}", "abc0123456789", "1", "2", "{\"x\":1}"])
            #expect(server.loop.budget.held == 0)
        }
    }

    @Test func requestsMayComeByteByByte() throws {
        let server = TestServer()
        let connection = try server.connect()
        for byte in (post("{\"a\":1}") + Self.chunked).utf8 { try connection.send([byte]) }
        #expect(try connection.replies().map(\.status) == [202, 202])
    }

    @Test func repliesKeepTheOrderOfRequests() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(post("1") + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + post("{") + post("2"))
        #expect(try connection.drainOutput() == "")
        let (first, second) = (server.queue.waiting[0], server.queue.waiting[1])
        first.receiver.appended([AppendAnswer(token: second.token, outcome: .stored(first: EventID(8)))])
        #expect(try connection.drainOutput() == "")
        first.receiver.appended([AppendAnswer(token: first.token, outcome: .stored(first: EventID(7)))])
        let replies = try connection.replies()
        #expect(replies.map(\.status) == [202, 200, 400, 202])
        #expect(replies[0].body.contains("\"first_id\":7"))
        #expect(replies[3].body.contains("\"first_id\":8"))
    }

    @Test func aPipelineIsReadOnlySoFar() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(String(repeating: post("1"), count: 200))
        #expect(server.queue.waiting.count == 64)
        #expect(!connection.asksToRead())
        server.queue.store(10)
        server.turn()
        #expect(server.queue.waiting.count == 64)
        for _ in 0..<4 {
            server.queue.store()
            server.turn()
        }
        #expect(try connection.replies().count == 200)
    }

    @Test func anAnswerToNobodyIsDropped() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(post("1"))
        try connection.channel.close().wait()
        server.queue.store()
        server.turn()
        #expect(server.loop.budget.held == 0)
    }

    @Test(
        arguments: [
            ("HTTP/1.1\r\nHost: localhost\r\nConnection: close", "close", false),
            ("HTTP/1.1\r\nHost: localhost\r\nConnection: Foo , CLOSE", "close", false),
            ("HTTP/1.1\r\nHost: localhost", nil, true),
            ("HTTP/1.0", "close", false),
            ("HTTP/1.0\r\nConnection: keep-alive", "keep-alive", true),
        ] as [(String, String?, Bool)]
    )
    func connectionsEndWhenTheClientSaysSo(head: String, field: String?, stays: Bool) throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("GET /healthz \(head)\r\n\r\n")
        #expect(try connection.reply().fields["connection"] == field)
        try connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try connection.replies().count == (stays ? 1 : 0))
    }

    @Test func headGetsNoBody() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let text = try connection.drainOutput()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("Content-Length: 15\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test(
        arguments: [
            ("/healthz", "Host: evil.example", 403), ("/healthz", "Host: a\r\nOrigin: https://evil.example", 403),
            ("/nowhere/x/y/z", "Host: localhost", 404), ("/v1/streams/clicks/events", "Host: localhost", 405),
            ("/healthz", "A: b", 400), ("/healthz", "Host: localhost\r\nBad Name: 1", 400),
            ("/\(String(repeating: "a", count: 9000))", "Host: localhost", 414),
        ] as [(String, String, Int)]
    )
    func headGetsNoBodyWhateverTheAnswerIs(path: String, fields: String, status: Int) throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("HEAD \(path) HTTP/1.1\r\n\(fields)\r\n\r\n")
        let text = try connection.drainOutput()
        #expect(text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(text.hasSuffix("\r\n\r\n"))
        // As long as the body that GET would get (RFC 9110 section 8.6).
        #expect(text.contains("Content-Length: ") && !text.contains("Content-Length: 0\r\n"))
    }

    @Test func aSlowHeadGetsNoBodyEither() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("HEAD /healthz HTTP/1.1\r\n")
        server.advance(.seconds(15))
        let text = try connection.drainOutput()
        #expect(text.hasPrefix("HTTP/1.1 408 ") && text.hasSuffix("\r\n\r\n"))
    }

    @Test func readinessIsAskedFor() throws {
        let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        #expect(try TestServer().reply(to: request).status == 200)
        let reply = try TestServer(readiness: .notReady("The queue is stuck.")).reply(to: request)
        #expect((reply.status, reply.slug) == (503, "not_ready"))
        #expect(reply.body.contains("The queue is stuck."))
    }

    @Test func aRefusedSmallBodyKeepsTheConnection() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(post("12345", "/v1/streams/none/events") + post("1"))
        #expect(try connection.replies().map(\.status) == [404, 202])
    }

    @Test func nothingBehindAFaultIsRead() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("GET /healthz HTTP/1.1\r\nA : b\r\n\r\n" + post("1"))
        let reply = try connection.reply()
        #expect((reply.status, reply.fields["connection"]) == (400, "close"))
        #expect(server.queue.stored.isEmpty)
    }

    // MARK: Expect: 100-continue

    static let expecting =
        "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"

    @Test func whoWaitsToSendIsAskedTo() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(Self.expecting)
        #expect(try connection.drainOutput() == "HTTP/1.1 100 Continue\r\n\r\n")
        try connection.send("1")
        #expect(try connection.reply().status == 202)
    }

    @Test func whoDoesNotWaitIsNotAsked() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(Self.expecting + "1")
        #expect(try connection.replies().map(\.status) == [202])
    }

    @Test func aHopelessBodyIsNotAskedFor() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(Self.expecting.replacing("clicks", with: "none"))
        let reply = try connection.reply()
        #expect((reply.status, reply.fields["connection"]) == (404, "close"))
    }

    @Test func theInvitationWaitsForEarlierReplies() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(post("1") + Self.expecting)
        #expect(try connection.drainOutput() == "")
        server.queue.store()
        #expect(try connection.replies().map(\.status) == [202, 100])
        try connection.send("2")
        server.queue.store()
        #expect(try connection.replies().map(\.status) == [202])
    }
}
