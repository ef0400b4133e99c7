// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentIngest

/// The same bytes into our request reader and into NIOHTTP1's decoder. Two programs that disagree about where a request
/// ends are what request smuggling is made of: so what ours takes, the other takes for the same; and where ours takes
/// less, that is meant, and named here.
struct DifferentialTests {
    /// What ours refuses and the other takes.
    static let stricter = [
        "bareLineFeed": "The other takes a line feed alone for the end of a line, in heads and behind chunks' sizes.",
        "chunk": "The other takes control characters and line feeds in trailers, and sizes of more than 15 digits.",
        "chunkExtension": "The other has no bound on extensions, which cost work and count as no body.",
        "duplicateField": "Which of two values counts, two programs may answer in two ways.",
        "expectation": "What is expected and not understood is refused (RFC 9110 section 10.1.1).",
        "headTooLarge": "Heads are bounded: 16 KiB, and 100 fields.",
        "host": "The other looks at no Host: none, two, and such that are none are refused here.",
        "requestLine":
            "The other takes targets that are neither a path nor 'http://', bytes above 0x7e, and '#' in them.",
        "targetTooLong": "The request line is bounded: 8 KiB.",
        "trailerTooLarge": "Trailers are bounded: 8 KiB.",
        "transferEncoding": "The other takes it from HTTP/1.0, which does not know it, and twice.",
        "unknownTransferEncoding": "The other takes any list that ends with 'chunked'.",
    ]
    /// What ours takes and the other refuses. None of it changes where a request ends.
    static let wider = [
        "invalid HTTP method": "Any token is a method, and is answered 405, not as no HTTP.",
        "invalid HTTP version": "A higher minor version is taken for the highest known (RFC 9110 section 2.5).",
        "invalid character in chunk size header": "Some programs pad sizes with spaces. The size is the same.",
        "invalid character in header": "Trailers are passed over up to the empty line, whatever is in them.",
        "unexpected content-length header": "The same length twice is one length (RFC 9110 section 8.6).",
    ]

    @Test func oursTakesTheSameOrLess() {
        var seen: (stricter: Set<String>, wider: Set<String>) = ([], [])
        for seed in 1...6000 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let bytes = Self.stream(&random)
            let cuts = (0..<4).map { _ in Int.random(in: 1...80, using: &random) }
            let (ours, theirs) = (DecodedStream.ours(bytes), DecodedStream.theirs(bytes, cuts: cuts))
            let shown = "seed \(seed): \(String(decoding: bytes.prefix(600), as: UTF8.self).debugDescription)"
            let common = zip(ours.requests, theirs.requests).prefix { $0 == $1 }.count
            if common < ours.requests.count {
                guard common == theirs.requests.count, let fault = theirs.fault else {
                    Issue.record("ours: \(ours)\ntheirs: \(theirs)\n\(shown)")
                    continue
                }
                seen.wider.insert(fault)
                if Self.wider[fault] == nil { Issue.record("only ours takes it: \(fault)\n\(shown)") }
            } else if let fault = ours.fault {
                guard theirs.heads > ours.heads || theirs.requests.count > common else { continue }
                seen.stricter.insert(fault)
                if Self.stricter[fault] == nil { Issue.record("only ours refuses it: \(fault)\n\(shown)") }
            }
        }
        // What is named happens: the tables do not outlive what they tell of.
        #expect(seen.stricter == Set(Self.stricter.keys))
        #expect(seen.wider == Set(Self.wider.keys))
    }

    // MARK: Streams

    private static let methods = [
        "POST", "POST", "PUT", "GET", "HEAD", "OPTIONS", "DELETE", "PURGE", "BREW", "post", "",
    ]
    private static let targets = [
        "/v1/streams/a/events", "/a?x=1&y=%20", "*", "http://localhost/a?b", "/", "/a b", "/a#b", "/\u{e9}", "a", "//",
        "http://", "/a\tb", "/a?b?c",
    ]
    private static let versions = [
        "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "",
    ]
    private static let fields = [
        "Content-Type: application/json", "content-type:\tx", "X-A: 1", "X-A:", "X-A : 1", " folded", "\tfolded",
        "X A: 1",
        ": 1", "X-A", "X-\u{e9}: 1", "X-A: \u{e9}", "X-A: a\u{1}b", "X-A: a\u{0}b", "X-A: a\u{7f}b", "X-A: a\tb",
        "X-A: a\rb",
        "Content-Length: 3", "Content-Length: 3", "Content-Length: 03", "Content-Length: +3", "Content-Length: 3, 3",
        "Content-Length: 0x3", "Content-Length:", "Content-Length: 99999999999999999999", "Content-Length: 3 ",
        "Transfer-Encoding: chunked", "Transfer-Encoding: Chunked", "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: xchunked",
        "Connection: keep-alive", "Connection: close", "Expect: 100-continue", "Expect: x", "Host: other", "Host: a b",
        "Content-Type: text/plain", "Origin: http://x",
    ]
    private static let bodies = [
        "", "abc", "abcdef", "3\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
        "03\r\nabc\r\n0\r\nX: 1\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n",
        "\r\n", "\n",
        "0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "0\r\n\n", "3;a\u{1}\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n", "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
    ]

    /// One to three requests, most of them nearly right.
    private static func stream(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) { bytes += Array(request(&random).utf8) }
        if Int.random(in: 0..<4, using: &random) == 0 { damage(&bytes, &random) }
        return bytes
    }

    private static func request(_ random: inout SeededGenerator) -> String {
        func isOdd(_ random: inout SeededGenerator, _ times: Int = 12) -> Bool {
            Int.random(in: 0..<times, using: &random) == 0
        }
        func pick(_ all: [String], _ random: inout SeededGenerator) -> String {
            isOdd(&random) ? all.randomElement(using: &random)! : all[0]
        }
        func lineEnd(_ random: inout SeededGenerator) -> String {
            isOdd(&random, 60) ? ["\n", "\r", "\r\r\n", "\r\n\r\n"].randomElement(using: &random)! : "\r\n"
        }
        let space = isOdd(&random, 40) ? ["  ", "\t", ""].randomElement(using: &random)! : " "
        var target = pick(targets, &random)
        if isOdd(&random, 300) { target += String(repeating: "x", count: 9000) }
        var text = isOdd(&random, 40) ? ["\r\n", "\r\n\r\n", "\n", " "].randomElement(using: &random)! : ""
        text += pick(methods, &random) + space + target + " " + pick(versions, &random) + lineEnd(&random)
        if !isOdd(&random, 40) { text += "Host: localhost" + lineEnd(&random) }
        for _ in 0..<Int.random(in: 0...3, using: &random) where isOdd(&random, 3) {
            text += fields.randomElement(using: &random)! + lineEnd(&random)
        }
        if isOdd(&random, 300) { text += String(repeating: "X-A: 1\r\n", count: 101) }
        var body = pick(bodies, &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: text += "Content-Length: \(body.utf8.count)" + lineEnd(&random)
        case 1:
            text += "Transfer-Encoding: chunked" + lineEnd(&random)
            body = isOdd(&random, 3) ? bodies.randomElement(using: &random)! : bodies[3]
            if isOdd(&random, 100) { body = "3;\(String(repeating: "e", count: 1100))\r\nabc\r\n0\r\n\r\n" }
            if isOdd(&random, 100) { body = "0\r\nT: \(String(repeating: "t", count: 8300))\r\n\r\n" }
        default: break
        }
        return text + lineEnd(&random) + body
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...2, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(Array("\r\n\t \0:".utf8).randomElement(using: &random)!, at: at)
            default: bytes.removeLast(min(Int.random(in: 1...10, using: &random), bytes.count))
            }
        }
    }
}
