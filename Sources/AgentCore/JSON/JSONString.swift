// SPDX-License-Identifier: Apache-2.0

/// The inside of JSON strings: from text and to text.
public enum JSONString {
    /// What the bytes between the quotes of a well-formed string mean; `nil` where an escape is half a surrogate pair.
    public static func decode(_ raw: UnsafeRawBufferPointer) -> String? {
        guard hasEscape(raw) else { return String(decoding: raw, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var i = 0
        while i < raw.count {
            let byte = raw[i]
            i += 1
            guard byte == UInt8(ascii: "\\"), i < raw.count else {
                bytes.append(byte)
                continue
            }
            let escape = raw[i]
            i += 1
            switch escape {
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0c)
            case UInt8(ascii: "n"): bytes.append(0x0a)
            case UInt8(ascii: "r"): bytes.append(0x0d)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(raw, &i) else { return nil }
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            default: bytes.append(escape)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether an escape is in what stands between the quotes of a well-formed string.
    static func hasEscape(_ raw: UnsafeRawBufferPointer) -> Bool {
        special(in: raw, from: 0) < raw.count
    }

    /// Where, from `start` on, the first quote, backslash or control character is, or a byte of a character above
    /// U+007F where those are looked for too; the count of bytes where there is none.
    ///
    /// Eight bytes a step: most bytes of an event are inside of its strings.
    @inlinable
    @inline(__always)
    public static func special(
        in bytes: UnsafeRawBufferPointer,
        from start: Int,
        orMultibyte: Bool = false
    ) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var i = start
        while i &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            let quote = (word ^ (ones &* 0x22)) &- ones
            let backslash = (word ^ (ones &* 0x5c)) &- ones
            let control = word &- (ones &* 0x20)
            // The high bit of each such byte; exact up to the first one, behind which a subtraction may borrow.
            let ascii = quote | backslash | control
            let found = (orMultibyte ? ascii | word : ascii & ~word) & (ones &* 0x80)
            if found != 0 { return i &+ found.trailingZeroBitCount &>> 3 }
            i &+= 8
        }
        while i < bytes.count {
            let byte = bytes[i]
            if byte == 0x22 || byte == 0x5c || byte < 0x20 || orMultibyte && byte >= 0x80 { return i }
            i &+= 1
        }
        return bytes.count
    }

    /// Appends `text` in quotes, escaped as far as it must be.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: [digit(byte >> 4), digit(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The character of four hexadecimal digits, or of two such groups with `\u` between them where the first is a high
    /// surrogate.
    private static func scalar(_ raw: UnsafeRawBufferPointer, _ i: inout Int) -> Unicode.Scalar? {
        guard let first = unit(raw, &i) else { return nil }
        guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
        guard i + 1 < raw.count, raw[i] == UInt8(ascii: "\\"), raw[i + 1] == UInt8(ascii: "u") else { return nil }
        i += 2
        guard let second = unit(raw, &i), UTF16.isTrailSurrogate(second) else { return nil }
        return Unicode.Scalar(0x1_0000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00))
    }

    private static func unit(_ raw: UnsafeRawBufferPointer, _ i: inout Int) -> UInt16? {
        guard raw.count - i >= 4 else { return nil }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Hexadecimal.value(raw[i]) else { return nil }
            unit = unit << 4 | UInt16(digit)
            i += 1
        }
        return unit
    }
}
