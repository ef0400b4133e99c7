// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes a step: by the processor's instruction for it where there
/// is one, which is five times as fast as by tables.
struct CRC32C: Sendable {
    private var state: UInt32 = 0xffff_ffff
    private let inHardware: Bool

    init() { inHardware = Self.hasInstruction }

    /// - Parameter inHardware: Only to be true where ``hasInstruction`` is.
    init(inHardware: Bool) { self.inHardware = inHardware }

    static let hasInstruction = agent_has_crc32c() != 0

    var value: UInt32 { ~state }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        state = inHardware ? agent_crc32c(state, start, bytes.count) : Self.updated(state, bytes)
    }

    private static func updated(_ state: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = state
        tables.withUnsafeBufferPointer { t in
            var i = 0
            while bytes.count &- i >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) ^ UInt64(crc)
                let low =
                    t[1792 &+ Int(word & 255)] ^ t[1536 &+ Int(word >> 8 & 255)]
                    ^ t[1280 &+ Int(word >> 16 & 255)] ^ t[1024 &+ Int(word >> 24 & 255)]
                let high =
                    t[768 &+ Int(word >> 32 & 255)] ^ t[512 &+ Int(word >> 40 & 255)]
                    ^ t[256 &+ Int(word >> 48 & 255)] ^ t[Int(word >> 56)]
                crc = low ^ high
                i &+= 8
            }
            while i < bytes.count {
                crc = t[Int((crc ^ UInt32(bytes[i])) & 255)] ^ crc >> 8
                i &+= 1
            }
        }
        return crc
    }

    /// Eight tables of 256: table n is the effect of a byte followed by n zero bytes.
    private static let tables: [UInt32] = {
        var t = [UInt32](repeating: 0, count: 2048)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            t[i] = crc
        }
        for n in 1..<8 {
            for i in 0..<256 {
                let previous = t[(n - 1) * 256 + i]
                t[n * 256 + i] = t[Int(previous & 255)] ^ previous >> 8
            }
        }
        return t
    }()
}
