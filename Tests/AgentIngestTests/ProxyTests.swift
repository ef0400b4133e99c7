// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentIngest

struct ProxyTests {
    private static let record = "/streams/clicks/record"
    private static let records = "/streams/clicks/records"

    /// What is stored of `body`, and under which keys.
    private static func stored(_ body: String, _ path: String) throws -> (TestReply, [String], [EventKey], [Int64]) {
        let server = TestServer()
        let reply = try server.reply(to: put(body, path))
        let stored = server.queue.stored
        return (reply, server.queue.storedTexts, stored.map(\.key), stored.map(\.destination.rawValue))
    }

    private static func type(_ reply: TestReply) -> String? {
        try? Array(reply.body.utf8).withUnsafeBytes {
            try JSONView(validating: $0)[JSONPointer("/__type")!]?.scalarText
        }
    }

    @Test(arguments: ["/streams/clicks/record", "/streams/clicks/records"])
    func anotherMethodIsRefusedInTheFormOfTheService(path: String) throws {
        let reply = try TestServer().reply(to: "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        #expect(reply.status == 405)
        #expect(reply.fields["allow"] == "PUT")
        #expect(Self.type(reply) == "ValidationException")
    }

    @Test func aRecordIsAnsweredAsPutRecordDoes() throws {
        let (reply, texts, keys, _) = try Self.stored(#"{"Data": {"a": 1.0} , "PartitionKey": "k"}"#, Self.record)
        #expect((reply.status, reply.body) == (200, #"{"SequenceNumber":"1","ShardId":"buffered"}"#))
        #expect(texts == [#"{"a": 1.0}"#])
        #expect(keys == [EventKey(partitionKey: "k")])
        let (_, strings, _, _) = try Self.stored(#"{"Data":"a\u00e9","PartitionKey":"k"}"#, Self.record)
        #expect(strings == [#""a\u00e9""#])
    }

    @Test func recordsAreAnsweredAsPutRecordsDoes() throws {
        let body = #"""
            {"records": [{"data": "text \"\u00e9\" ", "partition-key": "a"}, {"partition-key": 7, "data": [1, 2.50]},
             {"data": {"b" : null}, "partition-key": "c", "explicit-hash-key": "5"}]}
            """#
        let (reply, texts, keys, _) = try Self.stored(body, Self.records)
        #expect(reply.status == 200)
        let entries = (1...3).map { #"{"SequenceNumber":"\#($0)","ShardId":"buffered"}"# }.joined(separator: ",")
        #expect(reply.body == #"{"FailedRecordCount":0,"Records":[\#(entries)]}"#)
        #expect(texts == ["text \"é\" ", "[1, 2.50]", #"{"b" : null}"#])
        #expect(keys.map(\.partitionKey) == ["a", "7", "c"])
        #expect(keys.map(\.explicitHashKey) == ["", "", "5"])
    }

    @Test func theQueryAndTheBodyNameTheRegion() throws {
        let events = #"[{"data":1,"partition-key":"k"}]"#
        for (body, query, destination) in [
            ("{\"records\":\(events)}", "", Int64(1)),
            ("{\"records\":\(events),\"region\":\"eu-west-1\"}", "", 2),
            ("{\"region\":\"eu-west-1\",\"records\":\(events)}", "?region=us-east-1", 1),
        ] {
            let (reply, _, _, destinations) = try Self.stored(body, Self.records + query)
            #expect(reply.status == 200)
            #expect(destinations == [destination])
        }
        let (_, _, keys, _) = try Self.stored("{\"records\":\(events)}", Self.records + "?partition_key=all")
        #expect(keys == [EventKey(partitionKey: "all")])
    }

    @Test func allRecordsAreKeptOrNone() throws {
        let good = #"{"data":1,"partition-key":"k"}"#
        for bad in [
            #"{"data":2}"#, #"{"partition-key":"k"}"#, "1", #"{"data":2,"partition-key":[]}"#,
            #"{"data":"\ud800","partition-key":"k"}"#,
        ] {
            let (reply, texts, _, _) = try Self.stored("{\"records\":[\(good),\(bad)]}", Self.records)
            #expect((reply.status, Self.type(reply)) == (400, "ValidationException"))
            #expect(reply.body.contains("Record 2: "))
            #expect(texts == [])
        }
    }

    @Test func thereAreAsManyRecordsAsInPutRecords() throws {
        for (count, status) in [(500, 200), (501, 400), (0, 400)] {
            let all = Array(repeating: #"{"data":1,"partition-key":"k"}"#, count: count).joined(separator: ",")
            let (reply, texts, _, _) = try Self.stored("{\"records\":[\(all)]}", Self.records)
            #expect(reply.status == status)
            #expect(texts.count == (status == 200 ? count : 0))
        }
    }

    @Test func theSmallestRequestLimitBoundsRecordsToo() throws {
        let server = TestServer { $0.maxRequestBytes = 1 << 10 }
        func records(_ count: Int) -> String {
            "{\"records\":[\(Array(repeating: #"{"data":1,"partition-key":"k"}"#, count: count).joined(separator: ","))]}"
        }
        #expect(try server.reply(to: put(records(4), Self.records)).status == 200)
        #expect(try server.reply(to: put(records(5), Self.records)).status == 400)
    }

    @Test(arguments: [
        ("{", record, 400, "SerializationException"), ("[]", record, 400, "ValidationException"),
        (#"{"Data":1}"#, record, 400, "ValidationException"), ("{}", records, 400, "ValidationException"),
        (#"{"records":{}}"#, records, 400, "ValidationException"), ("1", records, 400, "ValidationException"),
        (#"{"Data":1,"PartitionKey":"k","ExplicitHashKey":"x"}"#, record, 400, "InvalidArgumentException"),
        (#"{"Data":1,"PartitionKey":"k"}"#, "/streams/none/record", 400, "ResourceNotFoundException"),
        (
            #"{"Data":"\#(String(repeating: "x", count: 200))","PartitionKey":"k"}"#, "/streams/tiny/record", 400,
            "ValidationException"
        ),
    ])
    func refusalsHaveTheFormOfTheService(body: String, path: String, status: Int, type: String) throws {
        let (reply, texts, _, _) = try Self.stored(body, path)
        #expect((reply.status, Self.type(reply)) == (status, type))
        #expect(reply.fields["x-amzn-errortype"] == type)
        #expect(texts == [])
    }

    @Test(arguments: [
        (AppendRefusal.queueFull(usedBytes: 1, limitBytes: 1), 503, "ServiceUnavailable"),
        (.diskFull(freeBytes: 1, limitBytes: 2), 503, "ServiceUnavailable"),
        (.stopping, 503, "ServiceUnavailable"), (.storage(message: "x"), 500, "InternalFailure"),
        (.tooLarge(bytes: 2, limitBytes: 1), 400, "ValidationException"),
    ])
    func whatTheQueueRefusesIsSentAgainBySDKs(refusal: AppendRefusal, status: Int, type: String) throws {
        for (body, path) in [
            (#"{"Data":1,"PartitionKey":"k"}"#, Self.record),
            (#"{"records":[{"data":1,"partition-key":"k"}]}"#, Self.records),
        ] {
            let server = TestServer(answersAtOnce: false)
            let connection = try server.connect()
            try connection.send(put(body, path))
            server.queue.refuse(refusal)
            let reply = try connection.reply()
            #expect((reply.status, Self.type(reply)) == (status, type))
        }
    }
}
