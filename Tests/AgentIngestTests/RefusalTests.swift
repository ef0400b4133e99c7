// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentIngest

struct RefusalTests {
    static let ending = "\r\nHost: localhost\r\n\r\n"
    static let native = "POST /v1/streams/clicks/events HTTP/1.1\r\nHost: localhost\r\n"

    @Test(
        arguments: [
            // Paths and methods.
            ("GET / HTTP/1.1" + ending, 404, "not_found"),
            ("GET /a/b/c HTTP/1.1" + ending, 404, "not_found"),
            ("POST /v1/streams//events HTTP/1.1" + ending, 404, "not_found"),
            ("POST /v1/streams/a/events/ HTTP/1.1" + ending, 404, "not_found"),
            ("GET * HTTP/1.1" + ending, 404, "not_found"),
            ("GET /v1/streams/clicks/events HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("POST /healthz HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("GET /clicks HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("PUT /kinesis/stream/clicks HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("DELETE /v1/streams/clicks/events HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("PUT /streams/clicks/recording HTTP/1.1" + ending, 404, "not_found"),
            ("post /v1/streams/clicks/events HTTP/1.1" + ending, 405, "method_not_allowed"),
            ("POST /v1/streams/%zz/events HTTP/1.1" + ending, 400, "malformed_path"),
            ("POST /v1/streams/%ff/events HTTP/1.1" + ending, 400, "malformed_path"),
            // What is for later.
            ("POST /metrics HTTP/1.1" + ending, 405, "method_not_allowed"),
            (native + "Idempotency-Key: \"\"\r\nContent-Length: 1\r\n\r\n1", 400, "malformed_key"),
            (native + "Idempotency-Key:\r\nContent-Length: 1\r\n\r\n1", 400, "malformed_key"),
            // Streams.
            (post("1", "/v1/streams/none/events"), 404, "stream_not_listed"),
            (post("1", "/v1/streams/a%20b/events"), 404, "invalid_stream_name"),
            (post("1", "/v1/streams/crowd/events"), 404, "too_many_destinations"),
            // Bodies.
            (native + "\r\n", 411, "length_required"),
            (native + "Content-Length: 1048577\r\n\r\n", 413, "body_too_large"),
            (native + "Content-Length: 99999999999999999999999\r\n\r\n", 413, "body_too_large"),
            (post("", type: "text/plain"), 400, "empty_body"),
            (post(""), 400, "empty_body"),
            (post("\n \n", type: "application/x-ndjson"), 400, "empty_body"),
            (post("{"), 400, "malformed_json"),
            (post("\u{feff}{}"), 400, "malformed_json"),
            (
                post("1", "/v1/streams/clicks/events", type: "text/plain", "Content-Encoding: gzip"), 415,
                "content_encoding"
            ),
            (post("1", type: "application/json; charset=latin1"), 415, "charset"),
            // Keys.
            (post("1", "/v1/streams/clicks/events?partition_key=%f"), 400, "malformed_query"),
            (post("1", "/v1/streams/clicks/events?partition_key=%ff"), 400, "malformed_query"),
            (post("1", "/v1/streams/clicks/events?explicit_hash_key=-1"), 400, "invalid_hash_key"),
            (
                post("1", "/v1/streams/clicks/events?explicit_hash_key=340282366920938463463374607431768211456"), 400,
                "invalid_hash_key"
            ),
            (post(#"{"user":{"id":[1]}}"#, "/v1/streams/orders/events"), 400, "malformed_key"),
            (post(#"{"user":{"id":{}}}"#, "/v1/streams/orders/events"), 400, "malformed_key"),
            (post(#"{"user":{"id":"\ud800"}}"#, "/v1/streams/orders/events"), 400, "malformed_key"),
            // Who asks.
            ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "host_not_allowed"),
            ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 403, "host_not_allowed"),
            ("GET http://evil.example/healthz HTTP/1.1" + ending, 403, "host_not_allowed"),
            ("GET /healthz HTTP/1.1\r\nOrigin: http://localhost" + ending, 403, "origin_not_allowed"),
            ("GET /healthz HTTP/1.1\r\nOrigin: null" + ending, 403, "origin_not_allowed"),
            // Syntax.
            ("GET /healthz\r\n\r\n", 400, "malformed_request"),
            ("GET  /healthz HTTP/1.1" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1 " + ending, 400, "malformed_request"),
            ("GET /heal\u{7f}thz HTTP/1.1" + ending, 400, "malformed_request"),
            ("GET /healthz#a HTTP/1.1" + ending, 400, "malformed_request"),
            ("GET healthz HTTP/1.1" + ending, 400, "malformed_request"),
            ("G@T /healthz HTTP/1.1" + ending, 400, "malformed_request"),
            (" GET /healthz HTTP/1.1" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/2.0" + ending, 505, "http_version"),
            ("PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "http_version"),
            ("GET /healthz http/1.1" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\n\r\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nHost: localhost" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nHost: localhost:x\r\n\r\n", 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nA : b" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\n: b" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nA\u{e9}: b" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nnonsense" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nA: b\u{0}c" + ending, 400, "malformed_request"),
            ("GET /healthz HTTP/1.1\r\nA: 12345678b\rc" + ending, 400, "malformed_request"),
            (native + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", 400, "malformed_request"),
            (native + "Content-Length: +1\r\n\r\n1", 400, "malformed_request"),
            (native + "Content-Length: 1, 1\r\n\r\n1", 400, "malformed_request"),
            (native + "Content-Length:\r\n\r\n1", 400, "malformed_request"),
            (native + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1", 400, "malformed_request"),
            (native + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
            (native + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer_encoding"),
            (native + "Transfer-Encoding: xchunked\r\n\r\n", 501, "transfer_encoding"),
            (native + "Content-Type: a/b\r\nContent-Type: a/c\r\nContent-Length: 1\r\n\r\n1", 400, "malformed_request"),
            (native + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n1", 417, "expectation_failed"),
            ("POST /v1/streams/clicks/events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
            (native + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\n1 1\r\n1\r\n0\r\n\r\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\n1\n1\n0\n\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\n1\r\n12\r\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400, "malformed_chunk"),
            (native + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", 413, "body_too_large"),
        ] as [(String, Int, String)]
    )
    func refusesWith(request: String, status: Int, slug: String) throws {
        let server = TestServer()
        let reply = try server.reply(to: request)
        #expect(reply.status == status)
        #expect(reply.slug == slug)
        #expect(reply.fields["content-type"] == "application/json")
        #expect(server.queue.stored.isEmpty)
    }

    @Test func headsAreBounded() throws {
        let server = TestServer()
        let long = String(repeating: "a", count: 9000)
        for (request, status, slug) in [
            ("GET /" + long, 414, "uri_too_long"), ("GET /" + long + " HTTP/1.1" + Self.ending, 414, "uri_too_long"),
            (Self.native + "A: " + long + long, 431, "header_too_large"),
            (Self.native + String(repeating: "A: b\r\n", count: 101) + "\r\n", 431, "header_too_large"),
        ] {
            let reply = try server.reply(to: request)
            #expect((reply.status, reply.slug) == (status, slug))
        }
    }

    @Test func chunkExtensionsAndTrailersAreBounded() throws {
        let server = TestServer()
        let chunked = Self.native + "Transfer-Encoding: chunked\r\n\r\n"
        let long = String(repeating: "a", count: 9000)
        #expect(try server.reply(to: chunked + "1;\(long)").slug == "malformed_chunk")
        #expect(try server.reply(to: chunked + "0\r\n\(long)").status == 431)
    }

    @Test(arguments: [
        ("GET /v1/streams/clicks/events", "POST"), ("PUT /healthz", "GET, HEAD"), ("POST /clicks", "PUT"),
        ("GET /kinesis/stream/clicks", "POST"),
    ])
    func namesTheMethodsThatAPathTakes(line: String, allow: String) throws {
        #expect(try TestServer().reply(to: line + " HTTP/1.1" + Self.ending).fields["allow"] == allow)
    }

    @Test(
        arguments: [
            (.queueFull(usedBytes: 9, limitBytes: 9), 507, "queue_full", true),
            (.lastTenth(DestinationID(1), usedBytes: 9, limitBytes: 9), 507, "queue_full", true),
            (.tooLarge(bytes: 10, limitBytes: 9), 413, "request_too_large", false),
            (.locked(path: "queue.db", holder: "sqlite3, process 7"), 503, "queue_locked", true),
            (.destinationFull(DestinationID(1), usedBytes: 9, limitBytes: 9), 507, "destination_full", true),
            (.diskFull(freeBytes: 1, limitBytes: 9), 507, "disk_full", true),
            (.stopping, 503, "stopping", true),
            (.tampered(path: "/q"), 503, "queue_tampered", true),
            (.unknown(message: "EIO"), 500, "unknown", false),
            (.storage(message: "EIO"), 500, "storage", false),
        ] as [(AppendRefusal, Int, String, Bool)]
    )
    func saysWhyTheQueueTookNothing(why: AppendRefusal, status: Int, slug: String, retries: Bool) throws {
        for (request, expected) in [
            (post("1"), status), (post(#"{"event":1}"#, "/kinesis/stream/clicks"), status < 500 ? 400 : 500),
            (put(#"{"Data":1,"PartitionKey":"k"}"#), status),
        ] {
            let server = TestServer(answersAtOnce: false)
            let connection = try server.connect()
            try connection.send(request)
            server.queue.refuse(why)
            let reply = try connection.reply()
            #expect((reply.status, reply.slug) == (expected, slug))
            #expect((reply.fields["retry-after"] != nil) == retries)
        }
    }

    @Test func configuredHostsAndOriginsMayAsk() throws {
        let server = TestServer {
            $0.http = "192.0.2.1:8077"
            $0.allowedHosts = ["Agent.Example"]
            $0.allowedOrigins = ["https://shop.example"]
        }
        for field in [
            "Host: agent.example:8077", "Host: 192.0.2.1", "Host: localhost:1", "Host: 127.9.9.9", "Host: [::1]:8077",
            "Host: a\r\nX: y",
        ] {
            let reply = try server.reply(
                to: "GET /healthz HTTP/1.1\r\n\(field)\r\nOrigin: https://shop.example\r\n\r\n"
            )
            #expect(reply.status == (field.contains("X: y") ? 403 : 200), "\(field)")
        }
        #expect(try server.reply(to: "GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n", isLocal: true).status == 200)
    }

    @Test func aSurplusConnectionLearnsThatItIsOne() throws {
        let server = TestServer()
        let connection = try server.connect(isSurplus: true)
        try connection.send(post("1"))
        let reply = try connection.reply()
        #expect((reply.status, reply.fields["connection"]) == (503, "close"))
        let lines = try server.connect(isLocal: true, isSurplus: true)
        try lines.send("{}\n")
        #expect(try lines.drainOutput().contains("too_many_connections"))
        #expect(server.queue.stored.isEmpty)
    }
}
