// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

/// A request of the Kinesis API in JSON.
func kinesis(_ operation: String, _ body: String, type: String = "application/x-amz-json-1.1") -> String {
    post(body, "/", type: type, "X-Amz-Target: Kinesis_20131202.\(operation)", "Authorization: AWS4-HMAC-SHA256 x")
}

struct KinesisAPITests {
    private static func text(_ body: String, _ pointer: String) -> String? {
        try? Array(body.utf8).withUnsafeBytes { try JSONView(validating: $0)[JSONPointer(pointer)!]?.scalarText }
    }

    private static func put(_ body: String, _ operation: String = "PutRecord") throws -> (TestReply, ScriptedQueue) {
        let server = TestServer()
        return (try server.reply(to: kinesis(operation, body)), server.queue)
    }

    @Test func aRecordIsKeptDecodedAndAnsweredWithItsID() throws {
        let (reply, queue) = try Self.put(
            #"{"StreamName":"clicks","Data":"AAH/gA==","PartitionKey":"k\u00e9","SequenceNumberForOrdering":"1"}"#
        )
        #expect((reply.status, reply.body) == (200, #"{"SequenceNumber":"1","ShardId":"buffered"}"#))
        #expect(reply.fields["content-type"] == "application/x-amz-json-1.1")
        #expect(reply.fields["x-amzn-requestid"]?.utf8.count == 36)
        #expect(queue.stored.map(\.data.bytes) == [[0, 1, 255, 128]])
        #expect(queue.stored.map(\.key) == [EventKey(partitionKey: "ké")])
    }

    @Test func recordsAreKeptInTheirOrderWithTheirKeys() throws {
        let (reply, queue) = try Self.put(
            #"""
            {"Records":[{"Data":"YQ==","PartitionKey":"a"},{"PartitionKey":"b","ExplicitHashKey":"7","Data":"YmI="},
             {"PartitionKey":"c","Data":"","ExplicitHashKey":null,"Else":[1]}],"StreamName":"clicks"}
            """#,
            "PutRecords"
        )
        #expect(reply.status == 200)
        let entries = (1...3).map { #"{"SequenceNumber":"\#($0)","ShardId":"buffered"}"# }.joined(separator: ",")
        #expect(reply.body == #"{"FailedRecordCount":0,"Records":[\#(entries)]}"#)
        #expect(queue.storedTexts == ["a", "bb", ""])
        #expect(queue.stored.map(\.key.partitionKey) == ["a", "b", "c"])
        #expect(queue.stored.map(\.key.explicitHashKey) == ["", "7", ""])
    }

    @Test func escapedBase64IsBase64() throws {
        let (reply, queue) = try Self.put(#"{"StreamName":"clicks","PartitionKey":"k","Data":"\/\/8\u003d"}"#)
        #expect(reply.status == 200)
        #expect(queue.stored.map(\.data.bytes) == [[255, 255]])
    }

    @Test func theARNNamesStreamAndRegionAndAnyAccount() throws {
        for (members, destination) in [
            (#""StreamARN":"arn:aws:kinesis:eu-west-1:123456789012:stream/clicks""#, Int64(2)),
            (#""StreamARN":"arn:aws:kinesis:us-east-1:999999999999:stream/clicks","StreamName":"clicks""#, 1),
        ] {
            let (reply, queue) = try Self.put("{\(members),\"PartitionKey\":\"k\",\"Data\":\"YQ==\"}")
            #expect(reply.status == 200)
            #expect(queue.stored.map(\.destination.rawValue) == [destination])
        }
    }

    private static let long = String(repeating: "é", count: 257)
    private static let large = String(repeating: "YWFh", count: 60)

    @Test(arguments: [
        ("{", "SerializationException"), ("[]", "SerializationException"),
        (#"{"StreamName":"clicks","PartitionKey":"k","Data":"YQ"}"#, "SerializationException"),
        (#"{"StreamName":"clicks","PartitionKey":"k","Data":"Y!=="}"#, "SerializationException"),
        (#"{"StreamName":"clicks","PartitionKey":"k","Data":1}"#, "SerializationException"),
        (#"{"StreamName":"clicks","PartitionKey":7,"Data":"YQ=="}"#, "SerializationException"),
        (#"{"StreamName":7,"PartitionKey":"k","Data":"YQ=="}"#, "SerializationException"),
        (#"{"StreamName":"clicks","PartitionKey":"k"}"#, "ValidationException"),
        (#"{"StreamName":"clicks","Data":"YQ=="}"#, "ValidationException"),
        (#"{"StreamName":"clicks","PartitionKey":"","Data":"YQ=="}"#, "ValidationException"),
        (#"{"StreamName":"clicks","PartitionKey":"\#(long)","Data":"YQ=="}"#, "ValidationException"),
        (#"{"StreamName":"tiny","PartitionKey":"k","Data":"\#(large)"}"#, "ValidationException"),
        (#"{"StreamName":"a b","PartitionKey":"k","Data":"YQ=="}"#, "ValidationException"),
        (#"{"StreamARN":"arn:x","PartitionKey":"k","Data":"YQ=="}"#, "ValidationException"),
        (
            #"{"StreamName":"clicks","PartitionKey":"k","Data":"YQ==","ExplicitHashKey":"01"}"#,
            "ValidationException"
        ),
        (
            #"{"StreamName":"clicks","PartitionKey":"k","Data":"YQ==","ExplicitHashKey":"\#(UInt128.max)9"}"#,
            "ValidationException"
        ),
        (
            #"{"StreamName":"clicks","PartitionKey":"k","Data":"YQ==","ExplicitHashKey":"340282366920938463463374607431768211456"}"#,
            "InvalidArgumentException"
        ),
        (#"{"PartitionKey":"k","Data":"YQ=="}"#, "InvalidArgumentException"),
        (#"{"StreamName":"none","PartitionKey":"k","Data":"YQ=="}"#, "ResourceNotFoundException"),
    ])
    func faultsHaveTheNamesOfTheService(body: String, name: String) throws {
        for (operation, text) in [
            ("PutRecord", body),
            // The same as the second of two records.
            (
                "PutRecords",
                body.hasPrefix("{\"")
                    ? "\(body.dropLast()),\"Records\":[{\"Data\":\"YQ==\",\"PartitionKey\":\"k\"},\(body)]}" : body
            ),
        ] {
            let (reply, queue) = try Self.put(text, operation)
            #expect((reply.status, Self.text(reply.body, "/__type")) == (400, name), "\(operation)")
            #expect(reply.fields["x-amzn-errortype"] == name)
            #expect(Self.text(reply.body, "/message")?.isEmpty == false)
            #expect(queue.stored.isEmpty)
        }
    }

    @Test func thereAreOneTo500Records() throws {
        for (count, status) in [(0, 400), (1, 200), (500, 200), (501, 400)] {
            let all = Array(repeating: #"{"Data":"YQ==","PartitionKey":"k"}"#, count: count).joined(separator: ",")
            let (reply, queue) = try Self.put(#"{"StreamName":"clicks","Records":[\#(all)]}"#, "PutRecords")
            #expect(reply.status == status)
            #expect(queue.stored.count == (status == 200 ? count : 0))
        }
    }

    @Test func theWholeRequestHasTheServicesLimit() throws {
        let data = String(repeating: "YWFh", count: 349_000)
        for (count, status) in [(6, 200), (11, 400)] {
            let all = Array(repeating: #"{"Data":"\#(data)","PartitionKey":"k"}"#, count: count).joined(separator: ",")
            let (reply, _) = try Self.put(#"{"StreamName":"clicks","Records":[\#(all)]}"#, "PutRecords")
            #expect(reply.status == status)
            if status == 400 { #expect(Self.text(reply.body, "/__type") == "InvalidArgumentException") }
        }
    }

    @Test(arguments: [
        ("Kinesis_20131202.GetRecords", "AccessDeniedException"),
        ("Kinesis_20131202.Nonsense", "UnknownOperationException"),
        ("DynamoDB_20120810.PutItem", "UnknownOperationException"),
    ])
    func otherOperationsAreRefusedByName(target: String, name: String) throws {
        let request = post("{}", "/", type: "application/x-amz-json-1.1", "X-Amz-Target: \(target)")
        let reply = try TestServer().reply(to: request)
        #expect((reply.status, Self.text(reply.body, "/__type")) == (400, name))
        if name == "AccessDeniedException" { #expect(reply.body.contains("PutRecords")) }
    }

    @Test func anotherTypeOrMethodIsRefusedInTheFormOfTheService() throws {
        #expect(try TestServer().reply(to: kinesis("PutRecord", "{}", type: "text/plain")).status == 415)
        let put = kinesis("PutRecord", "{}").replacing("POST /", with: "PUT /", maxReplacements: 1)
        #expect(try TestServer().reply(to: put).status == 405)
    }

    @Test(arguments: [
        (AppendRefusal.queueFull(usedBytes: 1, limitBytes: 1), 503, "ServiceUnavailable"),
        (.diskFull(freeBytes: 1, limitBytes: 2), 503, "ServiceUnavailable"),
        (.storage(message: "x"), 500, "InternalFailure"),
    ])
    func whatTheQueueRefusesIsSentAgainBySDKs(refusal: AppendRefusal, status: Int, name: String) throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(kinesis("PutRecord", #"{"StreamName":"clicks","Data":"","PartitionKey":"k"}"#))
        server.queue.refuse(refusal)
        let reply = try connection.reply()
        #expect((reply.status, Self.text(reply.body, "/__type")) == (status, name))
    }

    // MARK: What is known of streams

    @Test func streamsAreListedPageByPage() throws {
        let server = TestServer()
        let first = try server.reply(to: kinesis("ListStreams", #"{"Limit":2}"#)).body
        #expect(Self.text(first, "/StreamNames/1") == "orders")
        #expect(Self.text(first, "/HasMoreStreams") == "true")
        let token = try #require(Self.text(first, "/NextToken"))
        let second = try server.reply(to: kinesis("ListStreams", #"{"NextToken":"\#(token)"}"#)).body
        #expect(Self.text(second, "/StreamNames/0") == "tiny")
        #expect(Self.text(second, "/HasMoreStreams") == "false")
        #expect(
            Self.text(second, "/StreamSummaries/0/StreamARN") == "arn:aws:kinesis:us-east-1:000000000000:stream/tiny"
        )
        #expect(try server.reply(to: kinesis("ListStreams", #"{"Limit":0}"#)).status == 400)
    }

    @Test func aStreamIsDescribed() throws {
        let server = TestServer()
        let name = #"{"StreamName":"clicks"}"#
        let summary = try server.reply(to: kinesis("DescribeStreamSummary", name)).body
        #expect(Self.text(summary, "/StreamDescriptionSummary/StreamStatus") == "ACTIVE")
        #expect(Self.text(summary, "/StreamDescriptionSummary/MaxRecordSizeInKiB") == "1024")
        let whole = try server.reply(to: kinesis("DescribeStream", name)).body
        #expect(Self.text(whole, "/StreamDescription/Shards/0/ShardId") == "buffered")
        #expect(Self.text(whole, "/StreamDescription/HasMoreShards") == "false")
        let shards = try server.reply(to: kinesis("ListShards", name)).body
        #expect(Self.text(shards, "/Shards/0/HashKeyRange/EndingHashKey") == String(UInt128.max))
        #expect(server.queue.batches == 0)
        let none = try server.reply(to: kinesis("DescribeStream", #"{"StreamName":"none"}"#))
        #expect(Self.text(none.body, "/__type") == "ResourceNotFoundException")
    }

    @Test func questionsAreAnsweredInTheirTurn() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        let record = #"{"StreamName":"clicks","Data":"","PartitionKey":"k"}"#
        try connection.send(kinesis("PutRecord", record) + kinesis("ListStreams", "{}"))
        #expect(try connection.drainOutput() == "")
        server.queue.store()
        let replies = try connection.replies()
        #expect(replies.count == 2)
        #expect(replies.first?.body.contains("SequenceNumber") == true)
        #expect(server.loop.budget.held == 0)
    }

    // MARK: Answers by Kinesis

    private static let two =
        #"{"StreamName":"clicks","Records":[{"Data":"","PartitionKey":"a"},{"Data":"","PartitionKey":"b"}]}"#

    @Test func whereKinesisAnswersItsNumbersAreGiven() throws {
        let server = TestServer { $0.kinesisAPI = .deliver }
        let connection = try server.connect()
        try connection.send(kinesis("PutRecords", Self.two))
        #expect(try connection.drainOutput() == "")
        server.loop.delivered(
            [("49", "shardId-000000000001"), ("50", "shardId-000000000002")].enumerated().map { index, place in
                DeliveryNotice(
                    token: 0,
                    id: EventID(Int64(index + 1)),
                    outcome: .delivered(sequenceNumber: place.0, shard: place.1)
                )
            }
        )
        let reply = try connection.reply()
        #expect(Self.text(reply.body, "/FailedRecordCount") == "0")
        #expect(Self.text(reply.body, "/Records/1/SequenceNumber") == "50")
        #expect(Self.text(reply.body, "/Records/1/ShardId") == "shardId-000000000002")
    }

    @Test func whatKinesisDoesNotConfirmInTimeIsAFaultOfItsEntry() throws {
        let server = TestServer { $0.kinesisAPI = .deliver }
        let connection = try server.connect()
        try connection.send(kinesis("PutRecords", Self.two))
        let notice = DeliveryNotice(
            token: 0,
            id: EventID(1),
            outcome: .delivered(sequenceNumber: "49", shard: "shardId-000000000001")
        )
        server.loop.delivered([notice])
        server.advance(.seconds(5))
        let reply = try connection.reply()
        #expect(reply.status == 200)
        #expect(Self.text(reply.body, "/FailedRecordCount") == "1")
        #expect(Self.text(reply.body, "/Records/0/SequenceNumber") == "49")
        #expect(Self.text(reply.body, "/Records/1/ErrorCode") == "InternalFailure")
        try connection.send(kinesis("PutRecord", #"{"StreamName":"clicks","Data":"","PartitionKey":"k"}"#))
        server.advance(.seconds(5))
        let single = try connection.reply()
        #expect((single.status, Self.text(single.body, "/__type")) == (500, "InternalFailure"))
    }

    @Test func nothingIsKeptWhereKinesisWouldHaveToAnswerAndCannot() throws {
        let server = TestServer { $0.kinesisAPI = .deliver }
        server.directory.setDelivering(false)
        let reply = try server.reply(to: kinesis("PutRecords", Self.two))
        #expect((reply.status, Self.text(reply.body, "/__type")) == (503, "ServiceUnavailable"))
        #expect(server.queue.stored.isEmpty)
        #expect(server.loop.budget.held == 0)
    }
}
