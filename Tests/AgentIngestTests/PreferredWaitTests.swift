// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

/// `Prefer: wait=N` on native requests.
struct PreferredWaitTests {
    private static func lines(_ count: Int, _ prefer: String) -> String {
        let body = (1...count).map { "\($0)\n" }.joined()
        return post(body, "/v1/streams/clicks/events", type: "application/x-ndjson", "Prefer: \(prefer)")
    }

    private static func tell(_ request: AppendRequest, _ outcomes: [Int64: DeliveryNotice.Outcome]) {
        request.receiver.delivered(
            outcomes.map { DeliveryNotice(token: request.token, id: EventID($0.key), outcome: $0.value) }
        )
    }

    @Test(arguments: ["wait=5", "respond-async, wait = 5", "wait=\"5\"; x=y", "a=b,wait=5,wait=50"])
    func theReplyComesWithTheSequenceNumbers(prefer: String) throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(Self.lines(2, prefer))
        let request = try #require(server.queue.waiting.first)
        #expect(request.awaitsDelivery)
        server.queue.store()
        Self.tell(request, [1: .delivered(sequenceNumber: "49", shard: "s0")])
        #expect(try connection.drainOutput() == "")
        Self.tell(request, [2: .delivered(sequenceNumber: "50", shard: "s1")])
        let reply = try connection.reply()
        #expect(reply.status == 200)
        #expect(reply.fields["preference-applied"] == "wait=5")
        #expect(
            reply.body == #"{"accepted":2,"first_id":1,"last_id":2,"records":["#
                + #"{"sequence_number":"49","shard_id":"s0"},{"sequence_number":"50","shard_id":"s1"}]}"#
        )
    }

    @Test func afterThatTimeItIsQueued() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(Self.lines(2, "wait=3"))
        let request = try #require(server.queue.waiting.first)
        server.queue.store()
        Self.tell(request, [2: .delivered(sequenceNumber: "50", shard: "s1")])
        server.advance(.milliseconds(2900))
        #expect(try connection.drainOutput() == "")
        server.advance(.milliseconds(200))
        let reply = try connection.reply()
        #expect(reply.status == 202)
        #expect(reply.body.contains(#""records":[{"status":"queued"},{"sequence_number":"50","shard_id":"s1"}]"#))
    }

    @Test func whatNeverArrivesIsSaid() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(Self.lines(3, "wait=3"))
        let request = try #require(server.queue.waiting.first)
        server.queue.store()
        Self.tell(
            request,
            [
                1: .delivered(sequenceNumber: "49", shard: "s0"), 2: .deadLettered(code: "C", reason: "r"), 3: .dropped,
            ]
        )
        let reply = try connection.reply()
        #expect(reply.status == 422)
        #expect(reply.body.contains(#"{"status":"dead_lettered","error":"C","message":"r"},{"status":"dropped""#))
    }

    /// Who waits for less is answered first, whoever came first; nobody is forgotten.
    @Test func waitsOfAllLengthsEndInTheirOrder() throws {
        let server = TestServer(answersAtOnce: false) { $0.putWait = .seconds(4) }
        var random = SeededGenerator(seed: 7)
        let waits = (0..<60).map { _ in Int64.random(in: 1...9, using: &random) } + [4, 90]
        var connections: [(seconds: Int64, TestConnection)] = []
        for seconds in waits {
            let connection = try server.connect()
            try connection.send(
                seconds == 4 ? put(#"{"Data":1,"PartitionKey":"k"}"#) : Self.lines(1, "wait=\(seconds)")
            )
            server.queue.store()
            connections.append((seconds == 90 ? 60 : seconds, connection))
        }
        for second in 1...60 {
            server.advance(.milliseconds(second == 1 ? 1001 : 1000))
            for (seconds, connection) in connections {
                #expect(try connection.drainOutput().isEmpty == (seconds != Int64(second)), "\(seconds) at \(second)")
            }
        }
        #expect(server.loop.requests.awaiting == 0 && server.loop.requests.nextEnd == nil)
    }

    @Test func soManyEventsAreWaitedForAndNoMore() throws {
        let server = TestServer(answersAtOnce: false) { $0.maxRequestBytes = 16 << 20 }
        let first = try server.connect()
        try first.send(Self.lines(40_000, "wait=5"))
        let second = try server.connect()
        try second.send(Self.lines(40_000, "wait=5"))
        for _ in 0..<3 {
            server.queue.store()
            server.turn()
        }
        // The second one is answered at once.
        #expect(try first.drainOutput() == "")
        #expect(try second.drainOutput().hasPrefix("HTTP/1.1 202"))
    }
}
