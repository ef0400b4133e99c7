// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Walks over JSON in place: objects and arrays by callback, strings as ranges of the text, no tree.
///
/// It is as strict as finding the way needs; text inside strings is only looked at when it is used.
struct JSONScanner {
    private let base: UnsafeRawBufferPointer
    private var at = 0
    private var depth = 0

    init(_ text: UnsafeRawBufferPointer) { base = text }

    /// A string as it stands between its quotes.
    struct Text {
        let raw: UnsafeRawBufferPointer

        var hasEscape: Bool {
            guard let start = raw.baseAddress else { return false }
            return memchr(start, 0x5c, raw.count) != nil
        }
    }

    /// A member's name. Names with escapes equal none of ours.
    struct Name {
        fileprivate let raw: UnsafeRawBufferPointer

        static func == (name: Name, text: StaticString) -> Bool {
            guard name.raw.count == text.utf8CodeUnitCount, let start = name.raw.baseAddress else { return false }
            return memcmp(start, text.utf8Start, name.raw.count) == 0
        }
    }

    /// Calls `member` at each member's value, which it must take.
    mutating func object(
        _ member: (inout JSONScanner, Name) throws(APIError) -> Void
    ) throws(APIError) {
        try enter(UInt8(ascii: "{"))
        if !take(UInt8(ascii: "}")) {
            repeat {
                guard let name = try string() else { throw malformed }
                try expect(UInt8(ascii: ":"))
                try member(&self, Name(raw: name.raw))
            } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"))
        }
        depth -= 1
    }

    /// Calls `element` at each element, which it must take.
    mutating func array(_ element: (inout JSONScanner) throws(APIError) -> Void) throws(APIError) {
        try enter(UInt8(ascii: "["))
        if !take(UInt8(ascii: "]")) {
            repeat { try element(&self) } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"))
        }
        depth -= 1
    }

    /// A string; `nil` for `null`.
    mutating func string() throws(APIError) -> Text? {
        skipSpace()
        guard at < base.count, let start = base.baseAddress else { throw malformed }
        guard base[at] == UInt8(ascii: "\"") else {
            try literal("null")
            return nil
        }
        at += 1
        let first = at
        guard let quote = memchr(start + at, 0x22, base.count - at) else { throw malformed }
        var end = UnsafeRawPointer(quote) - start
        if end > first, base[end - 1] == UInt8(ascii: "\\") {
            end = first
            while end < base.count, base[end] != UInt8(ascii: "\"") {
                end += base[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard end < base.count else { throw malformed }
        }
        at = end + 1
        return Text(raw: UnsafeRawBufferPointer(rebasing: base[first..<end]))
    }

    /// A string, decoded; empty for `null`.
    mutating func text() throws(APIError) -> String {
        guard let text = try string() else { return "" }
        var plain: [UInt8] = []
        guard text.unescape(into: &plain) else { throw malformed }
        return String(decoding: plain, as: UTF8.self)
    }

    mutating func skipValue() throws(APIError) {
        skipSpace()
        guard at < base.count else { throw malformed }
        switch base[at] {
        case UInt8(ascii: "{"): try object { scanner, _ throws(APIError) in try scanner.skipValue() }
        case UInt8(ascii: "["): try array { scanner throws(APIError) in try scanner.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default:
            let start = at
            while at < base.count, Self.isNumber(base[at]) { at += 1 }
            if at == start { throw malformed }
        }
    }

    /// Only space may be left.
    mutating func end() throws(APIError) {
        skipSpace()
        if at < base.count { throw malformed }
    }

    private var malformed: APIError { .serialization("The body is not JSON of the expected form (near byte \(at)).") }

    private static func isNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func enter(_ bracket: UInt8) throws(APIError) {
        try expect(bracket)
        depth += 1
        if depth > 64 { throw malformed }
    }

    private mutating func skipSpace() {
        while at < base.count {
            let byte = base[at]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            at &+= 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard at < base.count, base[at] == byte else { return false }
        at &+= 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(APIError) {
        if !take(byte) { throw malformed }
    }

    private mutating func literal(_ word: StaticString) throws(APIError) {
        let count = word.utf8CodeUnitCount
        guard base.count - at >= count, let start = base.baseAddress,
            memcmp(start + at, word.utf8Start, count) == 0
        else { throw malformed }
        at += count
    }
}

extension JSONScanner.Text {
    /// Appends the string's bytes; `false` where an escape is none that JSON has.
    func unescape(into output: inout [UInt8]) -> Bool {
        var i = 0
        while i < raw.count {
            guard raw[i] == UInt8(ascii: "\\") else {
                output.append(raw[i])
                i += 1
                continue
            }
            guard i + 1 < raw.count else { return false }
            switch raw[i + 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(raw[i + 1])
            case UInt8(ascii: "b"): output.append(8)
            case UInt8(ascii: "f"): output.append(12)
            case UInt8(ascii: "n"): output.append(10)
            case UInt8(ascii: "r"): output.append(13)
            case UInt8(ascii: "t"): output.append(9)
            case UInt8(ascii: "u"):
                guard let high = unit(at: i + 2) else { return false }
                var scalar = UInt32(high)
                if high & 0xfc00 == 0xd800, i + 7 < raw.count, raw[i + 6] == UInt8(ascii: "\\"),
                    raw[i + 7] == UInt8(ascii: "u"), let low = unit(at: i + 8), low & 0xfc00 == 0xdc00
                {
                    scalar = 0x10000 + (UInt32(high & 0x3ff) << 10 | UInt32(low & 0x3ff))
                    i += 6
                }
                output.append(contentsOf: String(Character(Unicode.Scalar(scalar) ?? "\u{fffd}")).utf8)
                i += 4
            default: return false
            }
            i += 2
        }
        return true
    }

    private func unit(at start: Int) -> UInt16? {
        guard start + 4 <= raw.count else { return nil }
        var value: UInt16 = 0
        for byte in raw[start..<start + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}
