// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Testing

@testable import AgentIngest

struct NativeEventsTests {
    @Test func anEventIsKeptByteForByte() throws {
        let server = TestServer()
        let reply = try server.reply(to: post(" {\"a\" : 1}\n"))
        #expect(reply.status == 202)
        #expect(reply.body == #"{"accepted":1,"first_id":1,"last_id":1}"#)
        #expect(reply.fields["content-type"] == "application/json")
        #expect(server.queue.storedTexts == [" {\"a\" : 1}\n"])
    }

    @Test(arguments: [
        "application/x-ndjson", "application/jsonl", "Application/X-NDJSON; charset=utf-8", "application/ndjson",
        "application/x-jsonl", "application/jsonlines", "application/x-jsonlines", "application/json-lines",
        "application/stream+json", "application/x-json-stream", "application/x-ldjson", "text/ndjson", "text/jsonl",
        "application/vnd.example+ndjson", "application/vnd.example+jsonl; version=1",
        "application/jsonl;charset=\"UTF8\"",
    ])
    func linesAreEventsAndBlankOnesAreSkipped(type: String) throws {
        let server = TestServer()
        let reply = try server.reply(to: post("{\"a\":1}\r\n\n  \n[2] \n\r\n3", type: type))
        #expect(reply.body == #"{"accepted":3,"first_id":1,"last_id":3}"#)
        #expect(server.queue.storedTexts == ["{\"a\":1}", "[2] ", "3"])
        #expect(server.queue.batches == 1)
    }

    @Test func otherBodiesAreOpaque() throws {
        let server = TestServer()
        for type in ["text/plain", "application/octet-stream", "application/jsonx", ""] {
            #expect(try server.reply(to: post("{not json\u{0}\n", type: type)).status == 202)
        }
        #expect(try server.reply(to: post("[1]{\"a\":1}", type: "text/plain; charset=latin1")).status == 202)
        #expect(try server.reply(to: post("{}", type: "application/cloudevents+json")).status == 202)
        #expect(try server.reply(to: post("{", type: "application/cloudevents+JSON; charset=\"utf-8\"")).status == 400)
    }

    @Test(arguments: [
        "application/json", "text/json", "text/x-json", "application/x-json", "application/vnd.example.v1+json",
        "application/cloudevents+json", "application/x-amz-json-1.1", "Application/GEO+JSON ; charset=utf-8",
    ])
    func aTypeOfOneJSONTextIsOneEvent(type: String) throws {
        let server = TestServer()
        #expect(try server.reply(to: post("[{\"a\": 1}, 2]\n", type: type)).status == 202)
        #expect(server.queue.storedTexts == ["[{\"a\": 1}, 2]\n"])
        let several = try server.reply(to: post("{\"a\":1}\n{\"a\":2}\n", type: type))
        #expect((several.status, several.slug) == (400, "malformed_json"))
        #expect(several.body.contains("application/x-ndjson"))
        #expect(server.queue.stored.count == 1)
    }

    @Test(
        arguments: [
            ("application/cloudevents-batch+json", 501, "not_available_yet"),
            ("application/json-seq", 415, "content_type"), ("application/geo+json-seq", 415, "content_type"),
            ("multipart/form-data; boundary=x", 415, "content_type"), ("Multipart/Mixed", 415, "content_type"),
            ("application/vnd.kafka.json.v2+json", 415, "content_type"),
        ] as [(String, Int, String)]
    )
    func aTypeOfSeveralEventsIsNotTakenForOne(type: String, status: Int, slug: String) throws {
        let server = TestServer()
        let reply = try server.reply(to: post("[1]", type: type))
        #expect((reply.status, reply.slug) == (status, slug))
        #expect(server.queue.stored.isEmpty)
    }

    @Test func aFormIsAnEventOnlyWhereItIsJSON() throws {
        let server = TestServer()
        let type = "application/x-www-form-urlencoded"
        #expect(
            try server.reply(to: post("{\"user\":{\"id\":\"u\"}}", "/v1/streams/orders/events", type: type)).status
                == 202
        )
        #expect(server.queue.stored.map(\.key.partitionKey) == ["u"])
        for body in ["a=1&b=2", "{\"a\":1}\n{\"a\":2}"] {
            let reply = try server.reply(to: post(body, type: type))
            #expect((reply.status, reply.slug) == (415, "content_type"))
            #expect(reply.body.contains("application/json") && reply.body.contains("application/x-ndjson"))
        }
        #expect(try server.reply(to: post("", type: type)).slug == "empty_body")
        #expect(server.queue.stored.count == 1)
    }

    @Test func theKeyOfJSONIsFoundWhateverItsTypeSays() throws {
        let server = TestServer()
        for (body, key) in [
            ("{\"user\":{\"id\":\"u\"}}", "u"), ("{\"user\":{\"id\":7}} x", ""), ("plain", ""), ("\"text\"", ""),
        ] {
            #expect(try server.reply(to: post(body, "/v1/streams/orders/events", type: "text/plain")).status == 202)
            #expect(server.queue.stored.last?.key.partitionKey == key)
        }
        let refused = try server.reply(to: post("{\"user\":{\"id\":[]}}", "/v1/streams/orders/events", type: ""))
        #expect((refused.status, refused.slug) == (400, "malformed_key"))
    }

    @Test(arguments: [
        ("?partial=true", "A: b"), ("?x=1&partial", "A: b"),
    ])
    func whatIsNotAvailableYetIsRefused(query: String, field: String) throws {
        let server = TestServer()
        let path = "/v1/streams/clicks/events" + query
        #expect(try server.reply(to: post("1", path, type: "application/json", field)).slug == "not_available_yet")
        #expect(server.queue.stored.isEmpty)
    }

    @Test(arguments: [
        ("?partial=false", "A: b"), ("", "Prefer: return=minimal; wait=5"), ("?partially=1", "Prefer: awaiting=5"),
        ("", "Prefer: wait"), ("", "Prefer: wait=soon"), ("", "Prefer: wait=-1"), ("", "Prefer: wait=\"\""),
    ])
    func whatOnlyLooksLikeItIsNot(query: String, field: String) throws {
        let path = "/v1/streams/clicks/events" + query
        #expect(try TestServer().reply(to: post("1", path, type: "application/json", field)).status == 202)
    }

    @Test func anEncodedBodyIsToldWhatIsTaken() throws {
        let reply = try TestServer().reply(
            to: post("1", "/v1/streams/clicks/events", type: "application/json", "Content-Encoding: gzip")
        )
        #expect((reply.status, reply.fields["accept-encoding"]) == (415, "identity"))
        #expect(reply.body.contains("not available yet"))
    }

    @Test func aBadLineRefusesTheRequestAndNamesItsPlace() throws {
        let server = TestServer()
        let reply = try server.reply(to: post("{\"a\":1}\n\n{\"ä\" 2}\n", type: "application/x-ndjson"))
        #expect(reply.status == 400)
        #expect(reply.slug == "malformed_json")
        #expect(reply.body.contains("Line 3, column 6"))
        #expect(server.queue.stored.isEmpty)
    }

    @Test(arguments: [
        ("?partition_key=a+b%2Fc", "", "a b/c"), ("?x=1&partition_key=%C3%A9", "", "é"),
        ("", "X-Partition-Key: grün", "grün"), ("?partition_key=q", "X-Partition-Key: h", "q"),
        ("?partition_key=", "X-Partition-Key: h", "h"), ("", "X-Partition-Key:", "u-1"), ("", "", "u-1"),
    ])
    func keysComeFromWhereTheyAreFirst(query: String, field: String, key: String) throws {
        let server = TestServer()
        let request = post(
            #"{"user":{"id":"u-1"}}"#,
            "/v1/streams/orders/events" + query,
            type: "application/json",
            field.isEmpty ? "A: b" : field
        )
        #expect(try server.reply(to: request).status == 202)
        #expect(server.queue.stored.map(\.key.partitionKey) == [key])
    }

    @Test(arguments: [
        (#"{"user":{"id":12.0}}"#, "12.0"), (#"{"user":{"id":true}}"#, "true"), (#"{"user":{"id":null}}"#, ""),
        (#"{"user":{"id":""}}"#, ""), (#"{"user":{}}"#, ""), ("1", ""), (#"{"user":{"id":"\u00e9"}}"#, "é"),
    ])
    func keysInEventsCountAsTheirText(event: String, key: String) throws {
        for type in ["application/json", "application/jsonl"] {
            let server = TestServer()
            #expect(try server.reply(to: post(event, "/v1/streams/orders/events", type: type)).status == 202)
            #expect(server.queue.stored.map(\.key.partitionKey) == [key])
        }
    }

    @Test func explicitHashKeysServeAsTheirOwnKey() throws {
        let server = TestServer()
        #expect(try server.reply(to: post("1", "/v1/streams/clicks/events?explicit_hash_key=17")).status == 202)
        #expect(
            try server.reply(
                to: post("1", "/v1/streams/clicks/events", type: "a/b", "X-Explicit-Hash-Key: 0", "X-Partition-Key: k")
            ).status == 202
        )
        #expect(
            server.queue.stored.map(\.key) == [
                EventKey(partitionKey: "17", explicitHashKey: "17"), EventKey(partitionKey: "k", explicitHashKey: "0"),
            ]
        )
    }

    @Test func keysOf256CharactersAreTakenWhateverTheirBytes() throws {
        let server = TestServer()
        let key = String(repeating: "%F0%9F%99%82", count: 256)
        #expect(try server.reply(to: post("1", "/v1/streams/clicks/events?partition_key=\(key)")).status == 202)
        #expect(
            try server.reply(to: post("1", "/v1/streams/clicks/events?partition_key=\(key)x")).slug == "key_too_long"
        )
    }

    @Test func regionsChooseTheDestination() throws {
        let server = TestServer()
        #expect(try server.reply(to: post("1", "/v1/streams/clicks/events?region=eu-west-1")).status == 202)
        #expect(server.queue.stored.map(\.destination) == [DestinationID(2)])
        #expect(try server.reply(to: post("1", "/v1/streams/clicks/events?region=mars")).status == 404)
    }

    @Test func sizesCountDataAndKey() throws {
        let server = TestServer()
        let path = "/v1/streams/tiny/events?partition_key=12345678"
        #expect(try server.reply(to: post(String(repeating: "1", count: 120), path)).status == 202)
        let over = try server.reply(to: post(String(repeating: "1", count: 121), path))
        #expect((over.status, over.slug) == (413, "event_too_large"))
        let lines = try server.reply(
            to: post("1\n" + String(repeating: "1", count: 129), "/v1/streams/tiny/events", type: "application/jsonl")
        )
        #expect(lines.status == 413)
        #expect(lines.body.contains("line 2"))
        #expect(server.queue.stored.count == 1)
    }

    @Test func manyTinyEventsAreBounded() throws {
        let server = TestServer { $0.maxRequestBytes = 2560 }
        let type = "application/jsonl"
        #expect(try server.reply(to: post(String(repeating: "1\n", count: 10), type: type)).status == 202)
        #expect(try server.reply(to: post(String(repeating: "1\n", count: 11), type: type)).slug == "too_many_events")
    }

    @Test func eventsOfOneTurnGoToTheQueueTogether() throws {
        let server = TestServer(answersAtOnce: false)
        let connections = try (0..<3).map { _ in try server.connect() }
        for connection in connections { connection.channel.pipeline.fireChannelRead(ByteBuffer(string: post("1"))) }
        #expect(server.queue.batches == 0)
        server.turn()
        #expect(server.queue.batches == 1)
        #expect(server.queue.waiting.count == 3)
    }

    @Test func nothingIsAnsweredBeforeTheCommit() throws {
        let server = TestServer(answersAtOnce: false)
        let connection = try server.connect()
        try connection.send(post("1"))
        #expect(try connection.drainOutput() == "")
        server.queue.store()
        #expect(try connection.reply().status == 202)
    }
}
