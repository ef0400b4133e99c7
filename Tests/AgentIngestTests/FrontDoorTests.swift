// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

struct FrontDoorTests {
    static let event = #"{"Data": {"a": "b"} , "PartitionKey": "k", "Extra": 1}"#

    @Test func aPutIsAnsweredWhenKinesisHasIt() throws {
        for path in ["/clicks", "/prod/clicks"] {
            let server = TestServer(answersAtOnce: false)
            let connection = try server.connect()
            try connection.send(put(Self.event, path))
            let request = try #require(server.queue.waiting.first)
            #expect(request.awaitsDelivery)
            #expect(request.events[0].data.text == #"{"a": "b"}"#)
            #expect(request.events[0].key == EventKey(partitionKey: "k"))
            server.queue.store()
            #expect(try connection.drainOutput() == "")
            let outcome = DeliveryNotice.Outcome.delivered(sequenceNumber: "49", shard: "shardId-000000000001")
            request.receiver.delivered([DeliveryNotice(token: request.token, id: EventID(1), outcome: outcome)])
            let reply = try connection.reply()
            #expect((reply.status, reply.body) == (200, #"{"SequenceNumber":"49","ShardId":"shardId-000000000001"}"#))
            server.advance(.seconds(6))
            #expect(try connection.drainOutput() == "")
        }
    }

    @Test func deliveryMayBeHeardOfBeforeTheCommit() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(put(Self.event))
        let request = try #require(server.queue.waiting.first)
        let outcome = DeliveryNotice.Outcome.delivered(sequenceNumber: "49", shard: "s")
        request.receiver.delivered([DeliveryNotice(token: request.token, id: EventID(1), outcome: outcome)])
        server.queue.store()
        #expect(try connection.replies().map(\.status) == [200])
        #expect(server.loop.budget.held == 0)
    }

    @Test func aPutWaitsOnlySoLong() throws {
        let server = TestServer { $0.putWait = .seconds(2) }
        let connections = try (0..<3).map { _ in try server.connect() }
        for connection in connections {
            try connection.send(put(Self.event))
            server.advance(.milliseconds(500))
        }
        for connection in connections {
            #expect(try connection.drainOutput() == "")
            server.advance(.milliseconds(500))
            let reply = try connection.reply()
            #expect(reply.status == 202)
            #expect(reply.body.hasSuffix(#""Status":"queued"}"#))
        }
    }

    @Test func aPutToASickDestinationDoesNotWait() throws {
        let server = TestServer()
        server.directory.setDelivering(false)
        let reply = try server.reply(to: put(Self.event))
        #expect((reply.status, reply.body) == (202, #"{"Id":1,"Status":"queued"}"#))
    }

    @Test func onlySoManyWait() throws {
        let server = TestServer { $0.maxWaiting = 1 }
        let first = try server.connect()
        try first.send(put(Self.event))
        #expect(try server.reply(to: put(Self.event)).status == 202)
        #expect(try first.drainOutput() == "")
        server.advance(.seconds(5))
        #expect(try first.reply().status == 202)
        try first.send(put(Self.event))
        #expect(try first.drainOutput() == "")
    }

    @Test func deadLettersAndRemovalsAre422() throws {
        for (outcome, status) in [
            (DeliveryNotice.Outcome.deadLettered(code: "record_rejected", reason: "Bad."), "dead_lettered"),
            (.dropped, "dropped"),
        ] {
            let server = TestServer(answersAtOnce: false)
            let connection = try server.connect()
            try connection.send(put(Self.event))
            let request = try #require(server.queue.waiting.first)
            server.queue.store()
            request.receiver.delivered([DeliveryNotice(token: request.token, id: EventID(1), outcome: outcome)])
            let reply = try connection.reply()
            #expect(reply.status == 422)
            #expect(reply.body.hasPrefix(#"{"Id":1,"Status":"\#(status)","#))
        }
    }

    @Test func aStringKeepsItsQuotes() throws {
        let server = TestServer()
        server.directory.setDelivering(false)
        for data in ["\"a\\u00e9\"", "null", "1.50", "[ 1 ]"] {
            #expect(try server.reply(to: put("{\"PartitionKey\":7,\"Data\":\(data)}")).status == 202)
        }
        #expect(server.queue.storedTexts == ["\"a\\u00e9\"", "null", "1.50", "[ 1 ]"])
        #expect(server.queue.stored.allSatisfy { $0.key.partitionKey == "7" })
    }

    @Test(arguments: [
        #"{"Data":1}"#, #"{"PartitionKey":"k"}"#, #"{"Data":1,"PartitionKey":""}"#, #"{"Data":1,"PartitionKey":null}"#,
        "[]", "1", #"{"data":1,"PartitionKey":"k"}"#, #"{"Data":1,"PartitionKey":{}}"#,
        #"{"Data":1,"PartitionKey":"k","ExplicitHashKey":"x"}"#, #"{"Data":1,"PartitionKey":"k","region":1}"#, "",
    ])
    func aPutNeedsBothMembers(body: String) throws {
        #expect(try TestServer().reply(to: put(body)).status == 400)
    }

    @Test func theQueryGoesBeforeTheBody() throws {
        let server = TestServer()
        server.directory.setDelivering(false)
        let body = #"{"Data":1,"PartitionKey":"k","region":"eu-west-1","ExplicitHashKey":"5"}"#
        #expect(try server.reply(to: put(body)).status == 202)
        #expect(
            try server.reply(to: put(body, "/clicks?region=us-east-1&partition_key=q&explicit_hash_key=6")).status
                == 202
        )
        #expect(server.queue.stored.map(\.destination) == [DestinationID(2), DestinationID(1)])
        #expect(server.queue.stored.map(\.key.partitionKey) == ["k", "q"])
        #expect(server.queue.stored.map(\.key.explicitHashKey) == ["5", "6"])
    }

    @Test func theLambdaDoorKnowsThreeStatuses() throws {
        let server = TestServer()
        let path = "/kinesis/stream/clicks"
        let good = try server.reply(to: post(#"{"event":{"a":1},"region":"eu-west-1","partition_key":"k"}"#, path))
        #expect((good.status, good.body) == (200, #"{"accepted":1,"first_id":1,"last_id":1}"#))
        #expect(server.queue.storedTexts == [#"{"a":1}"#])
        #expect(server.queue.stored[0].destination == DestinationID(2))
        #expect(try server.reply(to: post("{}", path)).status == 400)
        #expect(try server.reply(to: post("{", path)).status == 400)
        #expect(try server.reply(to: post(#"{"event":1}"#, "/kinesis/stream/none")).status == 400)
        let large = String(repeating: "1", count: 200)
        #expect(try server.reply(to: post("{\"event\":\(large)}", "/kinesis/stream/tiny")).status == 400)
        #expect(try server.reply(to: post(#"{"event":{"user":{"id":9}}}"#, "/kinesis/stream/orders")).status == 200)
        #expect(server.queue.stored[1].key.partitionKey == "9")
    }

    @Test func itIsToldWhenNobodyWaitsForADeliveryAnyMore() throws {
        let server = TestServer { $0.putWait = .seconds(5) }
        let (first, second) = (try server.connect(), try server.connect())
        try first.send(put(Self.event))
        try second.send(put(Self.event))
        #expect(server.notices.stoppedWaiting.isEmpty)
        try second.channel.close().wait()
        server.advance(.seconds(6))
        #expect(try first.reply().status == 202)
        #expect(server.notices.stoppedWaiting == [EventID(1), EventID(2)])
    }

    @Test func itIsToldAsWellWhenTheStreamIsFoundToBeDown() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(put(Self.event))
        server.directory.setDelivering(false)
        server.queue.store()
        #expect(try connection.reply().status == 202)
        server.turn()
        #expect(server.notices.stoppedWaiting == [EventID(1)])
    }
}
