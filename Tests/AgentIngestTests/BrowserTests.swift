// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

/// What a browser asks and wants to see for a page of an origin that is allowed (Fetch, section 3.2).
struct BrowserTests {
    private static let origin = "https://shop.example"

    private static func server() -> TestServer {
        TestServer {
            $0.http = "192.0.2.1:8077"
            $0.allowedOrigins = ["https://other.example", origin]
        }
    }

    private static func preflight(_ fields: String, _ origin: String = origin) -> String {
        """
        OPTIONS /v1/streams/clicks/events HTTP/1.1\r
        Host: localhost\r
        Origin: \(origin)\r
        \(fields)\r
        \r

        """
    }

    @Test func aPreflightIsAnswered() throws {
        let server = Self.server()
        let reply = try server.reply(
            to: Self.preflight(
                "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type, x-partition-key"
            )
        )
        #expect(reply.status == 204)
        #expect(reply.fields["access-control-allow-origin"] == Self.origin)
        #expect(reply.fields["access-control-allow-methods"] == "GET, HEAD, POST, PUT")
        #expect(reply.fields["access-control-allow-headers"] == "content-type, x-partition-key")
        #expect(reply.fields["access-control-max-age"] == "600")
        #expect(reply.fields["access-control-allow-private-network"] == nil)
        #expect(reply.fields["content-length"] == nil)
        #expect(reply.body == "")
    }

    @Test func aPageOfAPublicAddressMayBeLetIn() throws {
        let reply = try Self.server().reply(
            to: Self.preflight(
                "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Private-Network: true"
            )
        )
        #expect(reply.fields["access-control-allow-private-network"] == "true")
        #expect(reply.fields["access-control-allow-headers"] == nil)
    }

    @Test func onlyNamesOfFieldsAreRepeated() throws {
        let server = Self.server()
        for list in ["a, b=c", "<script>", String(repeating: "a,", count: 600)] {
            let reply = try server.reply(
                to: Self.preflight("Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: \(list)")
            )
            #expect((reply.status, reply.fields["access-control-allow-headers"]) == (204, nil))
        }
    }

    @Test func otherOriginsAreRefused() throws {
        let server = Self.server()
        let reply = try server.reply(
            to: Self.preflight("Access-Control-Request-Method: POST", "https://evil.example")
        )
        #expect((reply.status, reply.slug) == (403, "origin_not_allowed"))
        #expect(reply.fields["access-control-allow-origin"] == nil)
    }

    @Test func everyAnswerMayBeReadByThePage() throws {
        let server = Self.server()
        server.directory.setDelivering(false)
        let field = "Origin: \(Self.origin)"
        for (request, status) in [
            (post("1", "/v1/streams/clicks/events", type: "application/json", field), 202),
            (post("{", "/v1/streams/clicks/events", type: "application/json", field), 400),
            (post("1", "/v1/streams/none/events", type: "application/json", field), 404),
            (put(#"{"Data":1,"PartitionKey":"k"}"#).replacing("Host:", with: "\(field)\r\nHost:"), 202),
            ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n\r\n", 200),
            ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\(field)\r\n\r\n", 403),
            ("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n\r\n", 405),
        ] {
            let reply = try server.reply(to: request)
            #expect(reply.status == status)
            #expect(reply.fields["access-control-allow-origin"] == Self.origin, "\(request)")
            #expect(reply.fields["access-control-expose-headers"] == "Allow, Retry-After")
            #expect(reply.fields["vary"] == "Origin")
        }
    }

    @Test func aSlowBodyIsAnsweredReadablyToo() throws {
        let server = Self.server()
        let connection = try server.connect()
        let request = post("12", "/v1/streams/clicks/events", type: "application/json", "Origin: \(Self.origin)")
        try connection.send(String(request.dropLast()))
        server.advance(.seconds(40))
        let reply = try connection.reply()
        #expect((reply.status, reply.fields["access-control-allow-origin"]) == (408, Self.origin))
    }

    @Test func othersSeeNothingOfIt() throws {
        let reply = try Self.server().reply(to: post("1"))
        #expect(reply.status == 202)
        #expect(!reply.fields.keys.contains { $0.hasPrefix("access-control") || $0 == "vary" })
    }
}
