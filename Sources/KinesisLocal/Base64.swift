// SPDX-License-Identifier: Apache-2.0

/// Base64 (RFC 4648, section 4) with padding, four characters a step.
enum Base64 {
    /// What `text` decodes to at most, in bytes.
    static func decodedBound(_ count: Int) -> Int { count / 4 * 3 + 3 }

    /// Appends the decoded bytes to `output`.
    ///
    /// - Returns: how many bytes were appended; `nil`, with `output` as it was, where `text` is not padded base64.
    static func decode(_ text: UnsafeRawBufferPointer, into output: inout ByteArena) -> Int? {
        guard text.count & 3 == 0 else { return nil }
        if text.isEmpty { return 0 }
        var padding = 0
        if text[text.count - 1] == UInt8(ascii: "=") { padding = text[text.count - 2] == UInt8(ascii: "=") ? 2 : 1 }
        let groups = text.count / 4 - (padding > 0 ? 1 : 0)
        let size = text.count / 4 * 3 - padding
        return output.append(bound: size + 3) { target -> Int? in
            var bad: UInt32 = 0
            values.withUnsafeBufferPointer { v in
                for g in 0..<groups {
                    let word = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: g &* 4, as: UInt32.self))
                    let value =
                        v[Int(word & 255)] << 18 | v[Int(word >> 8 & 255)] << 12
                        | v[Int(word >> 16 & 255)] << 6 | v[Int(word >> 24)]
                    bad |= value
                    // Three bytes and one that the next step overwrites.
                    target.storeBytes(of: (value << 8).bigEndian, toByteOffset: g &* 3, as: UInt32.self)
                }
                if padding > 0 {
                    let at = groups * 4
                    var value = v[Int(text[at])] << 18 | v[Int(text[at + 1])] << 12
                    if padding == 1 { value |= v[Int(text[at + 2])] << 6 }
                    bad |= value
                    // Bits that no byte takes must be zero, or two texts would mean the same bytes.
                    if value & (padding == 1 ? 0xff : 0xffff) != 0 { bad |= invalid }
                    target[groups * 3] = UInt8(truncatingIfNeeded: value >> 16)
                    if padding == 1 { target[groups * 3 + 1] = UInt8(truncatingIfNeeded: value >> 8) }
                }
            }
            return bad & invalid == 0 ? size : nil
        }
    }

    static func encode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        output.reserveCapacity(output.count + (bytes.count + 2) / 3 * 4)
        digits.withUnsafeBufferPointer { d in
            var i = 0
            while bytes.count - i >= 3 {
                let value = UInt32(bytes[i]) << 16 | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2])
                output.append(d[Int(value >> 18)])
                output.append(d[Int(value >> 12 & 63)])
                output.append(d[Int(value >> 6 & 63)])
                output.append(d[Int(value & 63)])
                i += 3
            }
            let rest = bytes.count - i
            if rest > 0 {
                let value = UInt32(bytes[i]) << 16 | (rest == 2 ? UInt32(bytes[i + 1]) << 8 : 0)
                output.append(d[Int(value >> 18)])
                output.append(d[Int(value >> 12 & 63)])
                output.append(rest == 2 ? d[Int(value >> 6 & 63)] : UInt8(ascii: "="))
                output.append(UInt8(ascii: "="))
            }
        }
    }

    static func encode(_ text: String) -> String {
        var text = text
        var output: [UInt8] = []
        text.withUTF8 { encode(UnsafeRawBufferPointer($0), into: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    /// Set in the value of every character that is not a base64 digit; shifting left by 18 keeps bits 24...31 set.
    private static let invalid: UInt32 = 0xff00_0000

    private static let digits: [UInt8] = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt32] = {
        var table = [UInt32](repeating: 0xffff_ffc0, count: 256)
        for (value, digit) in digits.enumerated() { table[Int(digit)] = UInt32(value) }
        return table
    }()
}
