// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@Suite struct SafeTextTests {
    /// Every character that is an order to a terminal, a line end, or a mark that turns text around.
    static let dangerous: [Unicode.Scalar] = {
        var values = Array(0..<0x20) + Array(0x7f..<0xa0)
        values += [0xad, 0x61c, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029]
        values += Array(0x202a...0x202e) + Array(0x2066...0x2069) + [0xfeff, 0xfff9, 0xe0001, 0xe0041]
        return values.compactMap { Unicode.Scalar(UInt32($0)) }
    }()

    @Test func whatIsHarmlessStaysAsItIs() {
        for text in ["", "clicks@us-east-1", "grün, 日本語, 🚢", "a\\b \"c\"", "e\u{301}"] {
            #expect(SafeText.line(text) == text)
            #expect(SafeText.json(text) == text)
        }
    }

    @Test(arguments: dangerous) func noDangerousCharacterIsLeft(scalar: Unicode.Scalar) {
        let text = "a\(Character(scalar))b"
        #expect(!SafeText.line(text).unicodeScalars.contains(scalar))
        #expect(SafeText.line(text).hasPrefix("a\\") && SafeText.line(text).hasSuffix("b"))
        if scalar.value >= 0x7f { #expect(!SafeText.json(text).unicodeScalars.contains(scalar)) }
    }

    @Test func escapesAreThoseOfSwift() {
        #expect(SafeText.line("a\tb\r\nc\u{1b}[2J\u{9b}\u{2028}") == "a\\tb\\r\\nc\\u{1b}[2J\\u{9b}\\u{2028}")
    }

    @Test func whatIsBeyondTheLimitIsAnEllipsis() {
        #expect(SafeText.line("abcde", limit: 5) == "abcde")
        #expect(SafeText.line("abcdef", limit: 5) == "abcde…")
        #expect(SafeText.line("äbcde", limit: 5) == "äbcde")
        // One character to people, and any number of bytes.
        #expect(SafeText.line("e" + String(repeating: "\u{301}", count: 999), limit: 3) == "e\u{301}\u{301}…")
    }

    @Test func escapedJSONMeansTheSame() throws {
        let text = String(String.UnicodeScalarView(Self.dangerous.filter { $0.value >= 0x7f })) + "ü🚢"
        let json = "[\n  \"\(text)\"\n]"
        let safe = SafeText.json(json)
        #expect(safe.hasPrefix("[\n  \"\\u007f\\u0080"))
        #expect(safe.contains("\\udb40\\udc01"), "a pair above U+FFFF")
        let bytes = Array(safe.utf8)
        try bytes.withUnsafeBytes {
            var elements = try JSONView(validating: $0).elements
            #expect(elements.next()?.scalarText == text)
        }
    }
}
