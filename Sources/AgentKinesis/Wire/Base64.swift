// SPDX-License-Identifier: Apache-2.0

/// Base64 (RFC 4648 section 4, padded), as Kinesis wants a record's data in JSON.
///
/// Every payload byte passes here, so it goes twelve bits a step through a table of 4,096 character pairs, which
/// stays in the first-level cache.
enum Base64 {
    static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Writes the text of `source` to `target`, which must have room for ``encodedCount(_:)`` bytes.
    /// - Returns: The number of bytes written.
    @discardableResult
    static func encode(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) -> Int {
        guard let bytes = source.baseAddress else { return 0 }
        let count = source.count
        return pairs.withUnsafeBufferPointer { table in
            guard let pair = table.baseAddress else { return 0 }
            var i = 0
            var out = target
            // Eight bytes are loaded and six used.
            while count &- i >= 8 {
                let word = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self))
                let low = UInt64(pair[Int(word >> 52)]) | UInt64(pair[Int(word >> 40 & 0xfff)]) << 16
                let high = UInt64(pair[Int(word >> 28 & 0xfff)]) | UInt64(pair[Int(word >> 16 & 0xfff)]) << 16
                out.storeBytes(of: (low | high << 32).littleEndian, as: UInt64.self)
                i &+= 6
                out += 8
            }
            while count &- i >= 3 {
                let group = byte(bytes, i) << 16 | byte(bytes, i &+ 1) << 8 | byte(bytes, i &+ 2)
                let text = UInt32(pair[group >> 12]) | UInt32(pair[group & 0xfff]) << 16
                out.storeBytes(of: text.littleEndian, as: UInt32.self)
                i &+= 3
                out += 4
            }
            let rest = count &- i
            if rest > 0 {
                let group = byte(bytes, i) << 16 | (rest == 2 ? byte(bytes, i &+ 1) << 8 : 0)
                let text = UInt32(pair[group >> 12]) | UInt32(pair[group & 0xfff]) << 16
                // The characters of bytes that are not there become '='.
                let padded = rest == 2 ? text & 0x00ff_ffff | 0x3d00_0000 : text & 0x0000_ffff | 0x3d3d_0000
                out.storeBytes(of: padded.littleEndian, as: UInt32.self)
                out += 4
            }
            return out - target
        }
    }

    @inline(__always)
    private static func byte(_ bytes: UnsafeRawPointer, _ i: Int) -> Int {
        Int(bytes.load(fromByteOffset: i, as: UInt8.self))
    }

    /// For each twelve bits their two characters, the first one in the low byte.
    private static let pairs: [UInt16] = {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return (0..<4096).map { UInt16(alphabet[$0 >> 6]) | UInt16(alphabet[$0 & 63]) << 8 }
    }()
}
