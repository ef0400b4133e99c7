// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

struct LinesTests {
    static func line(_ event: String, _ stream: String = "clicks") -> String {
        "{\"stream\":\"\(stream)\",\"partition_key\":\"k\",\"event\":\(event)}\n"
    }

    @Test func linesAreAcknowledgedAfterTheCommit() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("{\"a\": 1}") + "\r\n\n" + Self.line("2").replacing("\n", with: "\r\n"))
        #expect(try connection.drainOutput() == "")
        #expect(server.queue.waiting.map(\.events.count) == [2])
        server.queue.store()
        #expect(try connection.drainOutput() == "{\"acked\":2}\n")
        #expect(server.queue.storedTexts == ["{\"a\": 1}", "2"])
        #expect(server.queue.stored[0].key == EventKey(partitionKey: "k"))
        #expect(server.loop.budget.held == 0)
    }

    @Test func aLineMayBeCutAnywhereAndTheLastNeedsNoEnd() throws {
        let input = Array((Self.line("1") + Self.line("\"é\"") + Self.line("3")).utf8.dropLast())
        for cut in 1...input.count {
            let server = TestServer()
            let connection = try server.connect(isLocal: true)
            try connection.send(Array(input[..<cut]))
            try connection.send(Array(input[cut...]))
            connection.halfClose()
            #expect(try connection.drainOutput().hasSuffix("{\"acked\":3}\n"))
            #expect(server.queue.storedTexts == ["1", "\"é\"", "3"])
            server.turn()
            #expect(!connection.isOpen)
            #expect(server.loop.budget.held == 0)
        }
    }

    @Test func oneGroupIsWithTheQueueAtATime() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("1"))
        for number in 2...5 { try connection.send(Self.line("\(number)")) }
        #expect(server.queue.waiting.count == 1)
        server.queue.store()
        #expect(try connection.drainOutput() == "{\"acked\":1}\n")
        #expect(server.queue.waiting.map(\.events.count) == [4])
        server.queue.store()
        #expect(try connection.drainOutput() == "{\"acked\":5}\n")
    }

    @Test(arguments: [
        ("{\"stream\":\"clicks\"}", "missing_member"), ("{\"event\":1}", "missing_member"),
        ("[1]", "malformed_request"),
        ("{", "malformed_json"), ("{\"event\":1,\"stream\":\"none\"}", "stream_not_listed"),
        ("{\"event\":1,\"stream\":\"clicks\",\"partition_kye\":1}", "unknown_member"),
        ("{\"event\":1,\"stream\":\"clicks\",\"partition_key\":[]}", "malformed_key"),
        ("{\"event\":1,\"stream\":\"clicks\",\"explicit_hash_key\":\"x\"}", "invalid_hash_key"),
        ("{\"event\":1,\"stream\":7}", "malformed_request"), ("\u{e9}", "malformed_json"),
        ("{\"event\":\"" + String(repeating: "a", count: 130) + "\",\"stream\":\"tiny\"}", "event_too_large"),
    ])
    func aBadLineIsAnsweredAndCountsAsHandled(bad: String, slug: String) throws {
        let server = TestServer()
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("1") + bad + "\n" + Self.line("3"))
        let output = try connection.drainOutput().split(separator: "\n")
        #expect(output.count == 2)
        #expect(output[0].hasPrefix("{\"line\":2,\"error\":\"\(slug)\",\"message\":\""))
        #expect(output[1] == "{\"acked\":3}")
        #expect(server.queue.storedTexts == ["1", "3"])
    }

    @Test func badLinesAloneAreAcknowledged() throws {
        let server = TestServer()
        let connection = try server.connect(isLocal: true)
        try connection.send("{}\n{}\n")
        #expect(try connection.drainOutput().hasSuffix("\n{\"acked\":2}\n"))
    }

    @Test func manyBadLinesAreAllAnswered() throws {
        let server = TestServer()
        let connection = try server.connect(isLocal: true)
        for _ in 0..<3 { try connection.send(String(repeating: "{}\n", count: 5000)) }
        connection.halfClose()
        let output = try connection.drainOutput().split(separator: "\n")
        #expect(output.filter { $0.contains("missing_member") }.count == 15_000)
        #expect(output.last == "{\"acked\":15000}")
        server.turn()
        #expect(!connection.isOpen)
        #expect(server.loop.budget.held == 0)
    }

    @Test func aLineThatIsTooLongIsSkippedToItsEnd() throws {
        let server = TestServer { $0.maxEventBytes = 1000 }
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("1"))
        for _ in 0..<40 { try connection.send("{\"event\":\"" + String(repeating: "a", count: 1000)) }
        try connection.send("\"}\n" + Self.line("3"))
        let output = try connection.drainOutput().split(separator: "\n")
        #expect(
            output.filter { $0.contains("\"error\"") }.map { $0.prefix(33) } == [
                "{\"line\":2,\"error\":\"line_too_long\""
            ]
        )
        #expect(output.last == "{\"acked\":3}")
        #expect(server.queue.storedTexts == ["1", "3"])
        #expect(server.loop.budget.held == 0)
    }

    @Test func membersSayWhereAnEventGoes() throws {
        let server = TestServer { $0.defaultStream = StreamReference(name: "orders") }
        let connection = try server.connect(isLocal: true)
        try connection.send(
            """
            {"event":{"user":{"id":5}}}
            {"event":1,"region":"eu-west-1","explicit_hash_key":"9"}
            {"event":2,"event":3,"stream":null,"partition_key":null}

            """
        )
        #expect(server.queue.stored.map(\.destination) == [DestinationID(3), DestinationID(4), DestinationID(3)])
        #expect(
            server.queue.stored.map(\.key) == [
                EventKey(partitionKey: "5"), EventKey(partitionKey: "", explicitHashKey: "9"), .none,
            ]
        )
        #expect(server.queue.storedTexts[2] == "3")
    }

    @Test func theDefaultStreamMayBeInAnotherRegion() throws {
        let server = TestServer {
            $0.defaultStream = StreamReference(name: "clicks", region: "eu-west-1")
        }
        let connection = try server.connect(isLocal: true)
        try connection.send(
            """
            {"event":1}
            {"event":2,"region":"us-east-1"}
            {"event":3,"stream":"orders"}

            """
        )
        // A line that names a region or a stream means what it says.
        #expect(server.queue.stored.map(\.destination) == [DestinationID(2), DestinationID(1), DestinationID(3)])
    }

    @Test(
        arguments: [
            .queueFull(usedBytes: 9000, limitBytes: 9000), .diskFull(freeBytes: 0, limitBytes: 1),
            .lastTenth(DestinationID(1), usedBytes: 9000, limitBytes: 9900), .locked(path: "", holder: ""),
            .destinationFull(DestinationID(1), usedBytes: 9000, limitBytes: 9000),
        ] as [AppendRefusal]
    )
    func aFullQueueIsWaitedFor(why: AppendRefusal) throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("1") + Self.line("2"))
        for _ in 0..<8 {
            server.queue.refuse(why)
            server.turn()
            try connection.send(Self.line("3"))
            #expect(server.queue.waiting.isEmpty)
            server.advance(.milliseconds(500))
            #expect(server.queue.waiting.map(\.events.count) == [2])
        }
        #expect(try connection.drainOutput() == "")
        server.queue.store()
        server.turn()
        server.queue.store()
        #expect(try connection.drainOutput() == "{\"acked\":2}\n{\"acked\":10}\n")
    }

    @Test func aGroupThatNeverFitsIsSplit() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        let long = "\"" + String(repeating: "a", count: 100) + "\""
        try connection.send(["1", "2", long, "4", "5"].map { Self.line($0) }.joined())
        // Room for two small events (1 + 1 + 64 bytes each), never for the long one.
        for _ in 0..<20 {
            let cost =
                server.queue.waiting.first?.events.reduce(0) { $0 + $1.data.count + $1.key.storedBytes + 64 } ?? 0
            if cost > 140 {
                server.queue.refuse(.queueFull(usedBytes: 0, limitBytes: 140))
            } else {
                server.queue.store()
            }
            server.turn()
        }
        let output = try connection.drainOutput().split(separator: "\n")
        #expect(server.queue.storedTexts == ["1", "2", "4", "5"])
        #expect(
            output.filter { $0.contains("error") }.map { $0.prefix(30) } == ["{\"line\":3,\"error\":\"queue_full\""]
        )
        #expect(output.last == "{\"acked\":5}")
        var last = 0
        for line in output where line.hasPrefix("{\"acked\":") {
            let number = Int(line.dropFirst(9).dropLast()) ?? 0
            #expect(number > last)
            last = number
        }
    }

    @Test func otherRefusalsAreToldOfEachLine() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        try connection.send(Self.line("1") + Self.line("2"))
        server.queue.refuse(.unknown(message: "EIO"))
        let output = try connection.drainOutput().split(separator: "\n")
        #expect(
            output.map { $0.prefix(26) } == [
                "{\"line\":1,\"error\":\"unknown", "{\"line\":2,\"error\":\"unknown", "{\"acked\":2}",
            ]
        )
    }

    @Test func groupsAreBounded() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect(isLocal: true)
        try connection.send(String(repeating: Self.line("1"), count: 1200))
        var counts: [Int] = []
        while let request = server.queue.waiting.first {
            counts.append(request.events.count)
            server.queue.store()
            server.turn()
        }
        #expect(counts == [500, 500, 200])
        #expect(try connection.drainOutput() == "{\"acked\":500}\n{\"acked\":1000}\n{\"acked\":1200}\n")
    }

    @Test func otherFirstBytesAreHTTP() throws {
        let server = TestServer()
        #expect(try server.reply(to: post("1"), isLocal: true).status == 202)
        #expect(try server.reply(to: " {}\r\n\r\n", isLocal: true).status == 400)
        // Over TCP nothing else is spoken.
        #expect(try server.reply(to: "{\"event\":1}\r\n").status == 400)
    }
}
