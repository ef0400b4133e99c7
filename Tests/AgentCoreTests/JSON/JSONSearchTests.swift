// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

/// A pointer is looked up in two ways: while the text is checked, and in text that was checked before.
struct JSONSearchTests {
    @Test func bothWaysFindTheSameInAnyText() throws {
        var random = SeededGenerator(seed: 11)
        let names = ["a", "b", "ab", "", #"\u0061"#, "0", "1"]
        let pointers = try ["", "/a", "/b", "/a/b", "/a/a/ab", "/", "/a/0", "/0/a", "/a/1/b", "/b/0/1"].map {
            try #require(JSONPointer($0))
        }
        func value(_ depth: Int) -> String {
            let space = ["", " "].randomElement(using: &random) ?? ""
            switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
            case 0: return "12.5e1"
            case 1: return #""text \" ]},{[""#
            case 2: return "null"
            case 3: return ["{}", "[]", "{ }", "true"].randomElement(using: &random) ?? ""
            case 4:
                let elements = (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth - 1) }
                return "[" + space + elements.joined(separator: space + ",") + "]"
            default:
                let members = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                    "\"\(names.randomElement(using: &random) ?? "")\"" + space + ":" + space + value(depth - 1)
                }
                return "{" + space + members.joined(separator: ", ") + space + "}"
            }
        }
        var found = 0
        for _ in 0..<5000 {
            let text = value(4)
            for pointer in pointers {
                let (together, after) = try text.utf8CString.withUnsafeBytes { bytes in
                    let json = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
                    return (
                        try JSON.value(at: pointer, validating: json)?.range,
                        try JSONView(validating: json)[pointer]?.range
                    )
                }
                #expect(together == after, "\(pointer.tokens) in \(text)")
                if after != nil { found += 1 }
            }
        }
        #expect(found > 5000)
    }
}
