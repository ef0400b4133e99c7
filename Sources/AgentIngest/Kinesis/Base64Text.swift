// SPDX-License-Identifier: Apache-2.0

/// Reads base64 (RFC 4648 section 4, padded).
///
/// Every byte of a record passes here, so it goes eight characters a step, each through a table that has its bits
/// where they belong.
enum Base64Text {
    /// Room that the bytes of so many characters take while they are decoded: whole words are written.
    static func decodedBytes(_ characters: Int) -> Int { characters / 4 * 3 + 8 }

    /// Writes the bytes that `text` means to `target`, which must have room for ``decodedBytes(_:)``.
    /// - Returns: how many they are; `nil` where the text is malformed.
    static func decode(_ text: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) -> Int? {
        let count = text.count
        guard count > 0, count % 4 == 0, let characters = text.baseAddress else { return count == 0 ? 0 : nil }
        return tables.withUnsafeBufferPointer { table -> Int? in
            guard let bits = table.baseAddress else { return nil }
            var i = 0
            var out = target
            // The last four characters may have padding.
            while count &- i > 8 {
                let word = characters.loadUnaligned(fromByteOffset: i, as: UInt64.self).littleEndian
                let first = group(bits, UInt32(truncatingIfNeeded: word))
                let second = group(bits, UInt32(truncatingIfNeeded: word >> 32))
                if (first | second) & invalid != 0 { return nil }
                out.storeBytes(of: (UInt64(first) | UInt64(second) << 24).littleEndian, as: UInt64.self)
                i &+= 8
                out += 6
            }
            while count &- i > 4 {
                let word = characters.loadUnaligned(fromByteOffset: i, as: UInt32.self).littleEndian
                let bytes = group(bits, word)
                if bytes & invalid != 0 { return nil }
                store(bytes, 3, &out)
                i &+= 4
            }
            var word = characters.loadUnaligned(fromByteOffset: i, as: UInt32.self).littleEndian
            var length = 3
            // '=' in the last place, or in the last two, is as if there were no bits.
            if word >> 24 == UInt32(UInt8(ascii: "=")) {
                length = 2
                word = word & 0x00ff_ffff | UInt32(UInt8(ascii: "A")) << 24
                if word >> 16 & 0xff == UInt32(UInt8(ascii: "=")) {
                    length = 1
                    word = word & 0xff00_ffff | UInt32(UInt8(ascii: "A")) << 16
                }
            }
            let bytes = group(bits, word)
            if bytes & invalid != 0 { return nil }
            store(bytes, length, &out)
            return out - target
        }
    }

    /// The three bytes of four characters, the first one lowest, and ``invalid`` where one is no such character.
    @inline(__always)
    private static func group(_ bits: UnsafePointer<UInt32>, _ word: UInt32) -> UInt32 {
        bits[Int(word & 0xff)] | bits[256 &+ Int(word >> 8 & 0xff)] | bits[512 &+ Int(word >> 16 & 0xff)]
            | bits[768 &+ Int(word >> 24)]
    }

    @inline(__always)
    private static func store(_ bytes: UInt32, _ count: Int, _ out: inout UnsafeMutableRawPointer) {
        var rest = bytes
        for _ in 0..<count {
            out.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
            rest >>= 8
            out += 1
        }
    }

    private static let invalid: UInt32 = 1 << 24

    /// For each of the four places of a group and each character: its six bits, in the bytes that they belong to.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: invalid, count: 4 * 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        for (value, character) in alphabet.enumerated() {
            let (bits, at) = (UInt32(value), Int(character))
            tables[at] = bits << 2
            tables[256 + at] = bits >> 4 | (bits & 15) << 12
            tables[512 + at] = (bits >> 2) << 8 | (bits & 3) << 22
            tables[768 + at] = bits << 16
        }
        return tables
    }()
}
