// SPDX-License-Identifier: Apache-2.0

/// JSON text (RFC 8259) that stays what it is: it is checked and cut into slices, never turned into a tree.
///
/// Events are forwarded byte for byte, so all that is ever asked of one is whether it is well-formed and what a few
/// of its members say. ``validate(_:)`` answers the first in one pass; ``JSONView`` answers the second on text that
/// passed.
public enum JSON {
    /// How deep objects and arrays may be nested.
    public static let depthLimit = 512

    /// Checks that `text` is one JSON value, in UTF-8, with nothing but whitespace around it.
    public static func validate(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        _ = try locate(text)
    }

    /// Checks as ``validate(_:)`` does, and looks up `pointer` on the way: what `JSONView(validating: text)[pointer]`
    /// is, at less than half its cost.
    public static func value(
        at pointer: JSONPointer,
        validating text: UnsafeRawBufferPointer
    ) throws(JSONFault) -> JSONView? {
        guard let start = text.baseAddress else { throw JSONFault(.empty, at: 0) }
        var scanner = JSONScanner(start, count: text.count)
        scanner.search = JSONSearch(pointer)
        let whole = JSONView(text: text, range: try scanner.document())
        if scanner.search.isUnsettled { return whole[pointer] }
        return scanner.search.found.map { JSONView(text: text, range: $0) }
    }

    /// As ``validate(_:)``.
    /// - Returns: where in `text` the value is, without the whitespace around it.
    static func locate(_ text: UnsafeRawBufferPointer) throws(JSONFault) -> Range<Int> {
        guard let start = text.baseAddress else { throw JSONFault(.empty, at: 0) }
        var scanner = JSONScanner(start, count: text.count)
        return try scanner.document()
    }
}

/// One pass over the text; eight bytes a step inside strings, where most of the bytes of an event are.
struct JSONScanner {
    private let start: UnsafeRawPointer
    private let end: Int
    private var i = 0
    var search = JSONSearch()
    /// Escapes so far, in strings.
    private var escapes = 0

    init(_ start: UnsafeRawPointer, count: Int) {
        self.start = start
        self.end = count
    }

    mutating func document() throws(JSONFault) -> Range<Int> {
        skipSpace()
        if i == end { throw fault(.empty) }
        let first = i
        if peek == 0xef, end &- i >= 3, self[i &+ 1] == 0xbb, self[i &+ 2] == 0xbf { throw fault(.byteOrderMark) }
        try value()
        let last = i
        skipSpace()
        if i != end { throw fault(.trailing) }
        return first..<last
    }

    @inline(__always)
    private subscript(offset: Int) -> UInt8 { start.load(fromByteOffset: offset, as: UInt8.self) }

    /// The next byte; at the end a zero, which is wrong everywhere.
    @inline(__always)
    private var peek: UInt8 { i < end ? self[i] : 0 }

    /// Whatever was expected, at the end of the text the fault is that it ends.
    private func fault(_ kind: JSONFault.Kind) -> JSONFault {
        JSONFault(i < end || kind == .empty ? kind : .truncated, at: i)
    }

    @inline(__always)
    private mutating func skipSpace() {
        while i < end {
            let byte = self[i]
            if byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) { return }
            i &+= 1
        }
    }

    /// A value with all that is in it. Which containers are open is a stack of bits, so that depth costs no
    /// recursion: the innermost 64 in `kinds`, the lowest bit on top, the others in `spilled`.
    private mutating func value() throws(JSONFault) {
        var kinds: UInt64 = 0
        var spilled: [UInt64] = []
        var depth = 0
        values: while true {
            skipSpace()
            let byte = peek
            if search.isHit { search.began(byte, at: i, depth: depth) }
            switch byte {
            case UInt8(ascii: "\""):
                i &+= 1
                try string()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if depth == JSON.depthLimit { throw fault(.tooDeep) }
                if depth > 0, depth & 63 == 0 { spilled.append(kinds) }
                depth &+= 1
                let isObject = byte == UInt8(ascii: "{")
                kinds = kinds << 1 | (isObject ? 1 : 0)
                i &+= 1
                skipSpace()
                // '}' and ']' are two above their opening brackets; an empty container is closed below.
                if peek != byte &+ 2 {
                    if isObject { try name(depth) }
                    continue values
                }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                try number()
            case UInt8(ascii: "t"):
                try literal("true")
            case UInt8(ascii: "f"):
                try literal("false")
            case UInt8(ascii: "n"):
                try literal("null")
            default:
                throw fault(.valueExpected)
            }
            while true {
                if depth == search.valueDepth { search.ended(at: i) }
                if depth == 0 { return }
                skipSpace()
                let byte = peek
                if byte == UInt8(ascii: ",") {
                    i &+= 1
                    if kinds & 1 == 1 {
                        skipSpace()
                        try name(depth)
                    }
                    continue values
                }
                guard byte == (kinds & 1 == 1 ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw fault(.commaExpected)
                }
                i &+= 1
                if depth == search.nameDepth { search.closed() }
                depth &-= 1
                kinds >>= 1
                if depth > 0, depth & 63 == 0, let outer = spilled.popLast() { kinds = outer }
            }
        }
    }

    /// A member's name and its colon.
    @inline(__always)
    private mutating func name(_ depth: Int) throws(JSONFault) {
        guard peek == UInt8(ascii: "\"") else { throw fault(.nameExpected) }
        let first = i
        let escapes = escapes
        i &+= 1
        try string()
        if depth == search.nameDepth {
            search.passed(
                UnsafeRawBufferPointer(start: start + first, count: i &- first),
                isEscaped: self.escapes != escapes
            )
        }
        if peek != UInt8(ascii: ":") {
            skipSpace()
            guard peek == UInt8(ascii: ":") else { throw fault(.colonExpected) }
        }
        i &+= 1
    }

    /// A string from behind its opening quote to behind its closing one.
    @inline(__always)
    private mutating func string() throws(JSONFault) {
        while true {
            let text = UnsafeRawBufferPointer(start: start, count: end)
            i = JSONString.special(in: text, from: i, orMultibyte: true)
            if i >= end { throw fault(.truncated) }
            let byte = self[i]
            if byte == UInt8(ascii: "\"") {
                i &+= 1
                return
            }
            if byte >= 0x80 {
                try multibyte()
            } else if byte == UInt8(ascii: "\\") {
                try escape()
            } else {
                throw fault(.controlCharacter)
            }
        }
    }

    private mutating func escape() throws(JSONFault) {
        escapes &+= 1
        i &+= 1
        switch peek {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            i &+= 1
        case UInt8(ascii: "u"):
            i &+= 1
            for _ in 0..<4 {
                guard Hexadecimal.value(peek) != nil else { throw fault(.escape) }
                i &+= 1
            }
        default:
            throw fault(.escape)
        }
    }

    /// Characters above U+007F, as long as they follow each other (Unicode 16, table 3-7).
    private mutating func multibyte() throws(JSONFault) {
        while i < end {
            let lead = self[i]
            if lead < 0x80 { return }
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xbf
            switch lead {
            case 0xc2...0xdf: length = 2
            case 0xe0: (length, second) = (3, 0xa0...0xbf)
            case 0xed: (length, second) = (3, 0x80...0x9f)
            case 0xe1...0xef: length = 3
            case 0xf0: (length, second) = (4, 0x90...0xbf)
            case 0xf1...0xf3: length = 4
            case 0xf4: (length, second) = (4, 0x80...0x8f)
            default: throw fault(.utf8)
            }
            guard end &- i >= length, second.contains(self[i &+ 1]) else { throw fault(.utf8) }
            for k in 2..<4 where k < length {
                guard self[i &+ k] & 0xc0 == 0x80 else { throw fault(.utf8) }
            }
            i &+= length
        }
    }

    private mutating func number() throws(JSONFault) {
        if self[i] == UInt8(ascii: "-") { i &+= 1 }
        if peek == UInt8(ascii: "0") { i &+= 1 } else { try digits() }
        if peek == UInt8(ascii: ".") {
            i &+= 1
            try digits()
        }
        if peek | 0x20 == UInt8(ascii: "e") {
            i &+= 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { i &+= 1 }
            try digits()
        }
        // A digit here follows a leading zero.
        if peek &- UInt8(ascii: "0") < 10 { throw fault(.number) }
    }

    @inline(__always)
    private mutating func digits() throws(JSONFault) {
        guard peek &- UInt8(ascii: "0") < 10 else { throw fault(.number) }
        repeat { i &+= 1 } while peek &- UInt8(ascii: "0") < 10
    }

    private mutating func literal(_ word: StaticString) throws(JSONFault) {
        for k in 0..<word.utf8CodeUnitCount {
            guard peek == word.utf8Start[k] else { throw fault(.valueExpected) }
            i &+= 1
        }
    }
}
