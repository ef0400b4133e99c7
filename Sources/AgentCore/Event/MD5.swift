// SPDX-License-Identifier: Apache-2.0

/// MD5 (RFC 1321), for one purpose: where Kinesis puts a partition key, and the checksum of an aggregated record.
/// Nothing that is security may use it.
public enum MD5 {
    /// The digest as a number, first byte most significant, as Kinesis reads it.
    public static func digest(_ message: UnsafeRawBufferPointer) -> UInt128 {
        var state = State()
        var offset = 0
        while message.count - offset >= 64 {
            state.absorb(UnsafeRawBufferPointer(rebasing: message[offset..<offset + 64]))
            offset += 64
        }
        // The tail, a one bit, zeros, and the length in bits: one block or two.
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { tail in
            tail.initializeMemory(as: UInt8.self, repeating: 0)
            let rest = message.count - offset
            if rest > 0 { tail.copyMemory(from: UnsafeRawBufferPointer(rebasing: message[offset...])) }
            tail[rest] = 0x80
            let blocks = rest < 56 ? 1 : 2
            tail.storeBytes(
                of: (UInt64(message.count) &* 8).littleEndian,
                toByteOffset: blocks * 64 - 8,
                as: UInt64.self
            )
            for block in 0..<blocks {
                state.absorb(UnsafeRawBufferPointer(rebasing: tail[block * 64..<block * 64 + 64]))
            }
            return state.value
        }
    }

    public static func digest(_ text: String) -> UInt128 {
        var text = text
        return text.withUTF8 { digest(UnsafeRawBufferPointer($0)) }
    }

    private struct State {
        var a: UInt32 = 0x6745_2301
        var b: UInt32 = 0xefcd_ab89
        var c: UInt32 = 0x98ba_dcfe
        var d: UInt32 = 0x1032_5476

        var value: UInt128 {
            let high = UInt64(a.byteSwapped) << 32 | UInt64(b.byteSwapped)
            let low = UInt64(c.byteSwapped) << 32 | UInt64(d.byteSwapped)
            return UInt128(high) << 64 | UInt128(low)
        }

        mutating func absorb(_ block: UnsafeRawBufferPointer) {
            var (a, b, c, d) = (a, b, c, d)
            constants.withUnsafeBufferPointer { k in
                for i in 0..<64 {
                    let f: UInt32
                    let word: Int
                    let shift: UInt32
                    switch i >> 4 {
                    case 0: (f, word, shift) = ((b & c) | (~b & d), i, rotations(7, 12, 17, 22, i))
                    case 1: (f, word, shift) = ((d & b) | (~d & c), (5 &* i &+ 1) & 15, rotations(5, 9, 14, 20, i))
                    case 2: (f, word, shift) = (b ^ c ^ d, (3 &* i &+ 5) & 15, rotations(4, 11, 16, 23, i))
                    default: (f, word, shift) = (c ^ (b | ~d), (7 &* i) & 15, rotations(6, 10, 15, 21, i))
                    }
                    let m = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: word * 4, as: UInt32.self))
                    let sum = a &+ f &+ k[i] &+ m
                    (a, d, c) = (d, c, b)
                    b = b &+ (sum << shift | sum >> (32 &- shift))
                }
            }
            self.a &+= a
            self.b &+= b
            self.c &+= c
            self.d &+= d
        }

        @inline(__always)
        private func rotations(_ r0: UInt32, _ r1: UInt32, _ r2: UInt32, _ r3: UInt32, _ i: Int) -> UInt32 {
            switch i & 3 {
            case 0: r0
            case 1: r1
            case 2: r2
            default: r3
            }
        }
    }

    /// floor(2³² · |sin(i + 1)|), RFC 1321 section 3.4.
    private static let constants: [UInt32] = [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ]
}
