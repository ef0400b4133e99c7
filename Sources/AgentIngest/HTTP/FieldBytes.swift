// SPDX-License-Identifier: Apache-2.0

/// Where in a request's head something is. Heads are below 64 KiB.
struct HeadRange {
    var start: Int32
    var count: Int32

    init(_ range: Range<Int>) {
        start = Int32(truncatingIfNeeded: range.lowerBound)
        count = Int32(truncatingIfNeeded: range.count)
    }

    private init(start: Int32) {
        self.start = start
        count = 0
    }

    /// Not there at all, which is something else than empty.
    static let absent = HeadRange(start: -1)

    var isPresent: Bool { start >= 0 }
    var isEmpty: Bool { count == 0 }

    func bytes(in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard isPresent else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: head[Int(start)..<Int(start) + Int(count)])
    }
}

/// The alphabets of RFC 9110 section 5.6.
enum FieldBytes {
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // ! # $ % & ' * + - . ^ _ ` | ~ digits letters, as one bit each.
        let low: UInt64 = 0x03ff_6cfa_0000_0000
        let high: UInt64 = 0x57ff_ffff_c7ff_fffe
        if byte >= 0x80 { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 == 1
    }

    /// Whether `bytes` may be in a field's value: everything but control characters, tab excepted.
    static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var i = 0
        while i &+ 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            let delete = (word ^ (ones &* 0x7f)) &- ones
            // A byte above 0x7f is no control character, but hides one above it in this sum: look closer then.
            if ((word &- (ones &* 0x20)) | delete | word) & (ones &* 0x80) != 0 {
                for k in i..<i &+ 8 where isControl(bytes[k]) { return false }
            }
            i &+= 8
        }
        while i < bytes.count {
            if isControl(bytes[i]) { return false }
            i &+= 1
        }
        return true
    }

    @inline(__always)
    private static func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7f }

    static func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, bytes.count)
        while start < end, isWhitespace(bytes[start]) { start += 1 }
        while end > start, isWhitespace(bytes[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    /// Whether the bytes are `word`, which is in lower case, in any case.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        let other = word.utf8Start
        var i = 0
        while i &+ 8 <= bytes.count {
            let known = UnsafeRawPointer(other).loadUnaligned(fromByteOffset: i, as: UInt64.self)
            if lowercase(bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) != known { return false }
            i &+= 8
        }
        for i in i..<bytes.count {
            let byte = bytes[i]
            let lower = byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
            if lower != other[i] { return false }
        }
        return true
    }

    /// Eight bytes, with A...Z in lower case.
    @inline(__always)
    private static func lowercase(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low = word & (ones &* 0x7f)
        // The high bit of each byte: whether it is 'A' or more, and whether it is more than 'Z'.
        let (fromA, behindZ) = (low &+ (ones &* 0x3f), low &+ (ones &* 0x25))
        return word | ((fromA ^ behindZ) & ~word & (ones &* 0x80)) &>> 2
    }

    /// Whether a comma-separated list has `word`.
    static func list(_ bytes: UnsafeRawBufferPointer, contains word: StaticString) -> Bool {
        bytes.split(separator: UInt8(ascii: ","))
            .contains { equal(trimmed(UnsafeRawBufferPointer(rebasing: $0)), word) }
    }

    /// The number that a list of preferences gives `word`: `word=5`, also in quotes. Who prefers what is no such number
    /// is heard as who prefers nothing (RFC 7240, section 2).
    static func preference(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Int? {
        for item in bytes.split(separator: UInt8(ascii: ",")) {
            // What follows a semicolon only describes the preference.
            let pair = item.prefix { $0 != UInt8(ascii: ";") }
                .split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, equal(trimmed(UnsafeRawBufferPointer(rebasing: pair[0])), word) else { continue }
            let value = trimmed(UnsafeRawBufferPointer(rebasing: pair[1]))
            let isQuoted = value.count > 2 && value.first == UInt8(ascii: "\"")
            let digits = isQuoted ? value.dropFirst().dropLast() : value[...]
            guard 1...9 ~= digits.count, digits.allSatisfy(isDigit) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 & 15) }
        }
        return nil
    }
}
