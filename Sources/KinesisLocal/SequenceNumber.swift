// SPDX-License-Identifier: Apache-2.0

/// A record's place in its shard, as the decimal number of 56 digits that clients see.
///
/// `49`, the shard's creation in milliseconds (16 digits), the shard's index (12), the record's ordinal (26). So it
/// grows within a shard, a child's numbers are above its parent's, and texts compare as numbers do.
struct SequenceNumber: Equatable {
    let shardCreatedMS: Int64
    let shard: Int
    let ordinal: UInt64

    static let ordinalDigits = 26

    init(shardCreatedMS: Int64, shard: Int, ordinal: UInt64) {
        self.shardCreatedMS = shardCreatedMS
        self.shard = shard
        self.ordinal = ordinal
    }

    /// - Returns: `nil` where `text` is none of this server's numbers.
    init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 56, digits[0] == UInt8(ascii: "4"), digits[1] == UInt8(ascii: "9"),
            digits.allSatisfy({ (48...57).contains($0) }),
            let created = Int64(String(decoding: digits[2..<18], as: UTF8.self)),
            let shard = Int(String(decoding: digits[18..<30], as: UTF8.self)),
            let ordinal = UInt64(String(decoding: digits[30...], as: UTF8.self))
        else { return nil }
        self.init(shardCreatedMS: created, shard: shard, ordinal: ordinal)
    }

    var text: String {
        var bytes = Self.prefix(shardCreatedMS: shardCreatedMS, shard: shard)
        Self.write(ordinal, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What all numbers of a shard start with.
    static func prefix(shardCreatedMS: Int64, shard: Int) -> [UInt8] {
        var bytes = Array("49".utf8)
        write(UInt64(max(0, shardCreatedMS)), digits: 16, into: &bytes)
        write(UInt64(shard), digits: 12, into: &bytes)
        return bytes
    }

    static func write(_ ordinal: UInt64, into bytes: inout [UInt8]) {
        write(ordinal, digits: ordinalDigits, into: &bytes)
    }

    private static func write(_ value: UInt64, digits: Int, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        var rest = value
        var at = bytes.count - 1
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
            at -= 1
        }
    }
}
