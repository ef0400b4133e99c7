// SPDX-License-Identifier: Apache-2.0

import AgentCore

/// Reads the JSON that Kinesis answers with in one pass, without making a tree: the caller asks for what it expects
/// next. Members may come in any order and with any white space; what is not asked for is skipped, but must be JSON.
struct AnswerScanner {
    /// A string of the answer, without its quotes and as it stands there.
    struct Text {
        let range: Range<Int>
        let isEscaped: Bool
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var at = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        // A byte order mark has no place in JSON, but says nothing either.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
    }

    /// The next byte that is not white space; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0a, 0x0d, 0x09: at &+= 1
            default: return bytes[at]
            }
        }
        return 0
    }

    @inline(__always)
    mutating func expect(_ byte: Unicode.Scalar) throws(MalformedAnswer) {
        guard peek() == UInt8(ascii: byte) else { throw malformed("'\(byte)' was expected") }
        at &+= 1
    }

    mutating func expectEnd() throws(MalformedAnswer) {
        _ = peek()
        if at != bytes.count { throw malformed("something follows the answer") }
    }

    /// Whether another member or element follows, up to `close`. `first` is true before the first one.
    mutating func next(before close: Unicode.Scalar, first: inout Bool) throws(MalformedAnswer) -> Bool {
        if peek() == UInt8(ascii: close) {
            at &+= 1
            return false
        }
        if !first { try expect(",") }
        first = false
        return true
    }

    mutating func memberName() throws(MalformedAnswer) -> Text {
        let name = try string()
        try expect(":")
        return name
    }

    mutating func string() throws(MalformedAnswer) -> Text {
        try expect("\"")
        let start = at
        var isEscaped = false
        while true {
            at = JSONString.special(in: UnsafeRawBufferPointer(bytes), from: at)
            guard at < bytes.count else { throw malformed("it ends in a string") }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at &+= 1
                return Text(range: start..<at &- 1, isEscaped: isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                try skipEscape()
            default: throw malformed("a control character is in a string")
            }
        }
    }

    /// A string, or a number as it stands there; `nil` for anything else, which is skipped.
    mutating func scalar() throws(MalformedAnswer) -> Text? {
        switch peek() {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let start = at
            try skipNumber()
            return Text(range: start..<at, isEscaped: false)
        default:
            try skipValue()
            return nil
        }
    }

    mutating func skipValue(depth: Int = 0) throws(MalformedAnswer) {
        if depth > 64 { throw malformed("it is nested too deeply") }
        switch peek() {
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "{"):
            at &+= 1
            var first = true
            while try next(before: "}", first: &first) {
                _ = try memberName()
                try skipValue(depth: depth + 1)
            }
        case UInt8(ascii: "["):
            at &+= 1
            var first = true
            while try next(before: "]", first: &first) { try skipValue(depth: depth + 1) }
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: try skipNumber()
        }
    }

    func malformed(_ what: String) -> MalformedAnswer { MalformedAnswer(what: what, offset: at) }

    private mutating func literal(_ word: StaticString) throws(MalformedAnswer) {
        let end = at &+ word.utf8CodeUnitCount
        guard end <= bytes.count, holds(word, at..<end) else { throw malformed("a value was expected") }
        at = end
    }

    private mutating func skipNumber() throws(MalformedAnswer) {
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at &+= 1 }
        try skipDigits()
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at &+= 1
            try skipDigits()
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at &+= 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") { at &+= 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(MalformedAnswer) {
        let start = at
        while at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) { at &+= 1 }
        if at == start { throw malformed("a value was expected") }
    }

    private mutating func skipEscape() throws(MalformedAnswer) {
        guard at &+ 1 < bytes.count else { throw malformed("it ends in a string") }
        switch bytes[at &+ 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at &+= 2
        case UInt8(ascii: "u"):
            guard hex4(at &+ 2) != nil else { throw malformed("a bad escape is in a string") }
            at &+= 6
        default: throw malformed("a bad escape is in a string")
        }
    }

    private func holds(_ word: StaticString, _ range: Range<Int>) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        for i in 0..<range.count where bytes[range.lowerBound &+ i] != word.utf8Start[i] { return false }
        return true
    }

    private func hex4(_ start: Int) -> UInt32? {
        guard start &+ 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[start..<start &+ 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

// Texts that were read.
extension AnswerScanner {
    func text(_ text: Text, is word: StaticString) -> Bool {
        text.isEscaped ? decoded(text) == word.description : holds(word, text.range)
    }

    /// Whether two texts are the same as they stand in the answer.
    func same(_ a: Text, _ b: Text) -> Bool {
        a.range.count == b.range.count && bytes[a.range].elementsEqual(bytes[b.range])
    }

    /// The text with its escapes resolved, cut after `limit` bytes at a character.
    func decoded(_ text: Text, limit: Int = 1024) -> String {
        if !text.isEscaped { return Self.cut(UnsafeBufferPointer(rebasing: bytes[text.range]), limit) }
        let plain = unescaped(text)
        return plain.withUnsafeBufferPointer { Self.cut($0, limit) }
    }

    func unescaped(_ text: Text) -> [UInt8] {
        var out: [UInt8] = []
        var i = text.range.lowerBound
        while i < text.range.upperBound {
            guard bytes[i] == UInt8(ascii: "\\") else {
                out.append(bytes[i])
                i &+= 1
                continue
            }
            switch bytes[i &+ 1] {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0c)
            case UInt8(ascii: "n"): out.append(0x0a)
            case UInt8(ascii: "r"): out.append(0x0d)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                i = appendScalar(at: i, end: text.range.upperBound, to: &out)
                continue
            case let itself: out.append(itself)
            }
            i &+= 2
        }
        return out
    }

    /// Appends the character of a `\u` escape, which may be a pair of surrogates; a lone one becomes U+FFFD.
    private func appendScalar(at i: Int, end: Int, to out: inout [UInt8]) -> Int {
        let high = hex4(i &+ 2) ?? 0
        var value = high
        var next = i &+ 6
        if high & 0xfc00 == 0xd800, next &+ 6 <= end, bytes[next] == UInt8(ascii: "\\"),
            bytes[next &+ 1] == UInt8(ascii: "u"), let low = hex4(next &+ 2), low & 0xfc00 == 0xdc00
        {
            value = 0x10000 &+ (high & 0x3ff) << 10 &+ (low & 0x3ff)
            next &+= 6
        }
        out.append(contentsOf: String(Unicode.Scalar(value) ?? "\u{fffd}").utf8)
        return next
    }

    private static func cut(_ bytes: UnsafeBufferPointer<UInt8>, _ limit: Int) -> String {
        guard bytes.count > limit else { return String(decoding: bytes, as: UTF8.self) }
        var end = limit
        while end > 0, bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self) + "…"
    }
}

/// Why an answer cannot be understood.
struct MalformedAnswer: Error {
    let what: String
    let offset: Int
}
