// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOHPACK
import Testing

@testable import AgentIngest

/// What a request of HTTP/2 becomes in the bytes of HTTP/1.
struct HTTP1TextTests {
    private static func head(_ fields: [(String, String)], isLast: Bool = true) -> String? {
        var request = HTTP1Request()
        var bytes = ByteBuffer()
        guard request.take(HPACKHeaders(fields), isLast: isLast, into: &bytes) else { return nil }
        return String(buffer: bytes)
    }

    private static func fields(_ others: [(String, String)]) -> [(String, String)] {
        [(":method", "POST"), (":scheme", "http"), (":path", "/a?b=c"), (":authority", "localhost")] + others
    }

    @Test func theHeadIsTheOneThatHTTP1Has() {
        #expect(
            Self.head(Self.fields([("x-a", "b c"), ("content-length", "0")]))
                == "POST /a?b=c HTTP/1.1\r\nhost: localhost\r\nx-a: b c\r\ncontent-length: 0\r\n\r\n"
        )
        // No length and no body: said, so that nothing is waited for.
        #expect(Self.head(Self.fields([]))?.contains("content-length: 0\r\n") == true)
        #expect(Self.head([(":method", "GET"), (":path", "/"), (":authority", "a")])?.contains("length") == false)
        #expect(Self.head(Self.fields([]), isLast: false)?.contains("transfer-encoding: chunked\r\n") == true)
    }

    @Test func aBodyWithoutLengthIsCutIntoChunks() {
        var request = HTTP1Request()
        var bytes = ByteBuffer()
        #expect(request.take(HPACKHeaders(Self.fields([])), isLast: false, into: &bytes))
        bytes.clear()
        request.take(ByteBuffer(string: "0123456789abcdef0"), isLast: false, into: &bytes)
        request.take(ByteBuffer(), isLast: false, into: &bytes)
        request.take(ByteBuffer(), isLast: true, into: &bytes)
        #expect(String(buffer: bytes) == "11\r\n0123456789abcdef0\r\n0\r\n\r\n")
    }

    /// Whatever names and values a client sends: the request either has these fields and no others, or is refused.
    @Test(arguments: 1...20)
    func noFieldBecomesMoreThanAField(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "a", "B", "-", ":", " ", "\r", "\n", "\r\n", "\t", "\0", "é", "\u{7f}", "x-y", "host", "content-length",
        ]
        func text(_ most: Int) -> String {
            (0..<Int.random(in: 0...most, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
        }
        for _ in 0..<500 {
            let others = (0..<3).map { _ in (text(3), text(4)) }
            let path = Bool.random(using: &random) ? "/" + text(3) : "/"
            let authority = Bool.random(using: &random) ? text(2) : "localhost"
            let method = Bool.random(using: &random) ? text(2) : "PUT"
            let fields = [(":method", method), (":path", path), (":authority", authority)] + others
            guard let text = Self.head(fields, isLast: false) else { continue }
            #expect(text.hasSuffix("\r\n\r\n"))
            let lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).dropLast()
            #expect(lines.allSatisfy { $0.last == 13 }, "seed \(seed): \(text.debugDescription)")
            // The request line, what the client sent, the framing, and the end.
            let most = 1 + (authority.isEmpty ? 0 : 1) + others.count + 1 + 1
            #expect(lines.count <= most, "seed \(seed): \(text.debugDescription)")
            #expect(text.utf8.split(separator: 32, omittingEmptySubsequences: false)[1].elementsEqual(path.utf8))
        }
    }

    @Test func aReplyIsReadOnceItsHeadIsWhole() throws {
        let text = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\nX-A: b\r\n\r\nok"
        for count in 0..<text.utf8.count - 2 {
            var part = ByteBuffer(bytes: text.utf8.prefix(count))
            #expect(HTTP1Reply(takenFrom: &part) == nil)
            #expect(part.readableBytes == count)
        }
        var whole = ByteBuffer(string: text)
        let reply = try #require(HTTP1Reply(takenFrom: &whole))
        #expect(reply.bodyLength == 2 && !reply.isInterim)
        #expect(reply.fields.map { "\($0.name): \($0.value)" } == [":status: 202", "content-length: 2", "x-a: b"])
        #expect(String(buffer: whole) == "ok")
    }
}
