// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

struct JSONValidationTests {
    @Test(arguments: [
        "0", "-0", "1", "-1", "10", "0.5", "1e5", "1E+5", "1e-05", "-0.0e0", "123456789012345678901234567890",
        "true", "false", "null", "\"\"", "\"a\"", "[]", "{}", " [ ] ", "\t{\r\n}\n", "[1]", "[1,2 , 3]",
        "{\"a\":1}", "{ \"a\" : [ { } , [ ] ] , \"a\" : null }", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF\"",
        "\"\\ud800\"", "\"\u{7f}\"", "\"grüße\"", "\"日本語日本語\"", "\"🙂\"", "\"\u{10ffff}\"", "\"\u{ffff}\"",
        "\"\u{0800}\"",
        "\"1234567\"", "\"12345678\"", "\"123456789abcdef\\n\"", "[\"\",\"\",[[[[]]]]]", "{\"\":{\"\":\"\"}}",
    ])
    func acceptsWellFormedText(text: String) throws {
        try validate(Array(text.utf8))
    }

    @Test(
        arguments: [
            ("", .empty, 0), (" \n", .empty, 2), ("{", .truncated, 1), ("[", .truncated, 1), ("[1", .truncated, 2),
            ("[1,", .truncated, 3), ("{\"a\"", .truncated, 4), ("{\"a\":", .truncated, 5), ("\"abc", .truncated, 4),
            ("\"\\", .truncated, 2), ("\"\\u12", .truncated, 5), ("tru", .truncated, 3), ("-", .truncated, 1),
            ("1.", .truncated, 2), ("1e", .truncated, 2), ("{\"a\":1,", .truncated, 7),
            ("[1,]", .valueExpected, 3), ("[,1]", .valueExpected, 1), ("]", .valueExpected, 0),
            ("}", .valueExpected, 0),
            ("True", .valueExpected, 0), ("trUe", .valueExpected, 2), ("'a'", .valueExpected, 0),
            ("+1", .valueExpected, 0), (".5", .valueExpected, 0), ("NaN", .valueExpected, 0),
            ("\u{0}", .valueExpected, 0),
            ("{1:2}", .nameExpected, 1), ("{\"a\":1,}", .nameExpected, 7), ("{a:1}", .nameExpected, 1),
            ("{]", .nameExpected, 1),
            ("{\"a\" 1}", .colonExpected, 5), ("{\"a\"}", .colonExpected, 4), ("[1 2]", .commaExpected, 3),
            ("[1}", .commaExpected, 2), ("{\"a\":1]", .commaExpected, 6), ("[1:2]", .commaExpected, 2),
            ("01", .number, 1), ("-01", .number, 2), ("1.x", .number, 2), ("1ex", .number, 2), ("--1", .number, 1),
            ("-a", .number, 1), ("[1.]", .number, 3), ("0x1", .trailing, 1), ("1 1", .trailing, 2),
            ("{}{}", .trailing, 2),
            ("\"\\x\"", .escape, 2), ("\"\\u12g4\"", .escape, 5), ("\"\\U1234\"", .escape, 2),
            ("\"a\tb\"", .controlCharacter, 2), ("\"a\nb\"", .controlCharacter, 2),
            ("\"12345678\u{1f}\"", .controlCharacter, 9),
            ("\u{feff}{}", .byteOrderMark, 0), ("// c\n1", .valueExpected, 0), ("\u{a0}1", .valueExpected, 0),
        ] as [(String, JSONFault.Kind, Int)]
    )
    func refusesMalformedTextAtTheFirstWrongByte(text: String, kind: JSONFault.Kind, offset: Int) {
        #expect(throws: JSONFault(kind, at: offset)) { try validate(Array(text.utf8)) }
    }

    @Test(
        arguments: [
            [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
            [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff], [0xfe], [0xc3],
            [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x99], [0xf0, 0x9f, 0x28, 0x80], [0xc3, 0xc3],
        ] as [[UInt8]]
    )
    func refusesWhatIsNotUTF8(bytes: [UInt8]) {
        for padding in 0..<17 {
            let text = Array("\"".utf8) + [UInt8](repeating: 0x61, count: padding) + bytes + Array("\"".utf8)
            #expect(throws: JSONFault(.utf8, at: 1 + padding)) { try validate(text) }
        }
    }

    @Test func agreesWithTheStandardLibraryOnUTF8() {
        for lead in UInt8(0x80)...0xff {
            for second in stride(from: UInt8(0), through: 0xff, by: 1)
            where second != 0x22 && second != 0x5c && second >= 0x20 {
                for tail: [UInt8] in [[], [0x80], [0x80, 0xbf], [0xbf, 0x41]] {
                    let inside = [lead, second] + tail
                    let text = [UInt8(ascii: "\"")] + inside + [UInt8(ascii: "\"")]
                    let accepted = (try? validate(text)) != nil
                    #expect(accepted == (String(validating: inside, as: UTF8.self) != nil), "\(inside)")
                }
            }
        }
    }

    @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
    func nestsToItsLimitAndNoDeeper(open: String, close: String) throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)).utf8)
        }
        for depth in [1, 63, 64, 65, 128, 129, JSON.depthLimit] { try validate(nested(depth)) }
        #expect(throws: JSONFault(.tooDeep, at: open.utf8.count * JSON.depthLimit)) {
            try validate(nested(JSON.depthLimit + 1))
        }
    }

    @Test func remembersTheKindOfEveryOpenContainer() throws {
        // Alternating kinds across the 64-level words of the stack; one wrong closer anywhere is found.
        let depth = 200
        let opening = (0..<depth).map { $0 % 3 == 0 ? "[" : "{\"k\":" }.joined()
        let closing = (0..<depth).reversed().map { $0 % 3 == 0 ? "]" : "}" }
        try validate(Array((opening + "0" + closing.joined()).utf8))
        for wrong in 0..<depth {
            var closers = closing
            closers[wrong] = closers[wrong] == "]" ? "}" : "]"
            let text = opening + "0" + closers.joined()
            #expect(throws: JSONFault(.commaExpected, at: opening.utf8.count + 1 + wrong)) {
                try validate(Array(text.utf8))
            }
        }
    }

    @Test func namesLineAndColumn() {
        let text = Array("{\n \"grün\": 1,\n \"é\": x}".utf8)
        text.withUnsafeBytes { bytes in
            let offset = text.firstIndex(of: UInt8(ascii: "x")) ?? 0
            #expect(JSONFault.place(of: offset, in: bytes) == (3, 7))
            #expect(JSONFault.place(of: 0, in: bytes) == (1, 1))
        }
    }

    private func validate(_ bytes: [UInt8]) throws(JSONFault) {
        // An exact allocation: a read past its end is for the address sanitizer to find.
        try bytes.withUnsafeBufferPointer { (all) throws(JSONFault) in try JSON.validate(UnsafeRawBufferPointer(all)) }
    }
}
