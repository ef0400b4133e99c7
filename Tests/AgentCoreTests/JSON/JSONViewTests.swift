// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

struct JSONViewTests {
    @Test(arguments: [
        ("", #"{"a":1}"#), ("/user/id", #""u-1""#), ("/user", #"{"id":"u-1","n":[10,[20,30],{"x":null}]}"#),
        ("/user/n/0", "10"), ("/user/n/1/1", "30"), ("/user/n/2/x", "null"), ("/a~1b", "1.5"), ("/m~0n", "true"),
        ("/", #""empty""#), ("/tw", "2"), ("/esc", #""\u00e9""#), ("/sp", "[ 1 ,2 ]"), ("/sp/1", "2"),
    ])
    func pointersLeadToTheirValue(pointer: String, value: String) throws {
        let text = #"""
            { "user" : {"id":"u-1","n":[10,[20,30],{"x":null}]}, "a/b":1.5, "m~n":true, "": "empty",
              "tw":1, "tw":2, "\u0065sc":"\u00e9", "sp": [ 1 ,2 ] , "tricky":"}],\"" }
            """#
        let found = try look(pointer.isEmpty ? #"{"a":1}"# : text, pointer)
        #expect(found == value)
    }

    @Test(arguments: [
        "/none", "/user/x", "/user/id/0", "/n/3", "/n/01", "/n/-", "/n/1x", "/n/99999999999999999999", "/n/0/0",
    ])
    func pointersToNothingFindNothing(pointer: String) throws {
        let found = try look(#"{"user":{"id":1},"n":[1,2,3]}"#, pointer)
        #expect(found == nil)
    }

    @Test(arguments: [
        (#""""#, ""), (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\ud83d\ude42!""#, "🙂!"), ("\"é🙂\"", "é🙂"), ("12.50", "12.50"), ("-0", "-0"), ("true", "true"),
        ("false", "false"),
        (#""\u0000""#, "\0"),
    ])
    func scalarsHaveText(json: String, text: String) throws {
        try with(json) { #expect($0.scalarText == text) }
    }

    @Test(arguments: [
        "null", "{}", "[]", #""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800\u0041""#, #""\ud83d\n""#,
    ])
    func othersHaveNoText(json: String) throws {
        try with(json) { #expect($0.scalarText == nil) }
    }

    @Test func membersComeInOrderWithTheirRanges() throws {
        try with(#" {"a" : [1,{"b":2}] ,"c":"x,}" , "d":-1.5e3 } "#) { view in
            let members = view.members.map { ($0.name.scalarText, String(decoding: $0.value.bytes, as: UTF8.self)) }
            #expect(members.map(\.0) == ["a", "c", "d"])
            #expect(members.map(\.1) == ["[1,{\"b\":2}]", "\"x,}\"", "-1.5e3"])
        }
        try with("{ }") { #expect(Array($0.members).isEmpty) }
        try with("[ ]") { #expect(Array($0.elements).isEmpty) }
        try with("[1]") { #expect(Array($0.members).isEmpty) }
    }

    @Test func namesCompareByMeaning() throws {
        try with(#""Da\u0074a""#) { view in
            #expect(view.isString("Data"))
            #expect(!view.isString("data"))
        }
        // Equal under Unicode's canonical equivalence, but other bytes: another name.
        try with("\"e\u{301}\"") { #expect(!$0.isString("\u{e9}")) }
    }

    @Test func writtenStringsReadBackAsThemselves() throws {
        for text in ["", "plain", "q\"b\\s/", "\u{0}\u{1f}\n\t\u{7f}", "é🙂\u{2028}"] {
            var json: [UInt8] = []
            JSONString.append(text, to: &json)
            let readBack = try json.withUnsafeBytes { try JSONView(validating: $0).scalarText }
            #expect(readBack == text)
        }
    }

    private func with(_ json: String, _ body: (JSONView) throws -> Void) throws {
        try Array(json.utf8).withUnsafeBytes { try body(JSONView(validating: $0)) }
    }

    private func look(_ json: String, _ pointer: String) throws -> String? {
        let pointer = try #require(JSONPointer(pointer))
        return try Array(json.utf8).withUnsafeBytes { bytes in
            try JSONView(validating: bytes)[pointer].map { String(decoding: $0.bytes, as: UTF8.self) }
        }
    }
}
