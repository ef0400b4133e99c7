// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentQueue

struct CRC32CTests {
    /// By tables, and by the processor where it can.
    private static let ways = CRC32C.hasInstruction ? [false, true] : [false]

    private func checksum(_ bytes: [UInt8], splitAt index: Int? = nil, inHardware: Bool) -> UInt32 {
        var crc = CRC32C(inHardware: inHardware)
        for part in [bytes[..<(index ?? bytes.count)], bytes[(index ?? bytes.count)...]] {
            part.withUnsafeBytes { crc.update($0) }
        }
        return crc.value
    }

    /// RFC 3720, appendix B.4, and the check value of the polynomial.
    private static let vectors: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
        ([UInt8](0..<32), 0x46dd_794e),
        ([UInt8]((0..<32).reversed()), 0x113f_db5c),
        ([UInt8]("123456789".utf8), 0xe306_9283),
        ([], 0),
    ]

    @Test(arguments: vectors, ways)
    func checksumsAreThoseOfTheStandard(vector: ([UInt8], UInt32), inHardware: Bool) {
        #expect(checksum(vector.0, inHardware: inHardware) == vector.1)
    }

    @Test func piecesMakeTheSameChecksumAsTheWholeInEachWay() {
        let bytes = (0..<100).map { UInt8($0 &* 37 & 255) }
        let whole = checksum(bytes, inHardware: false)
        for way in Self.ways {
            for index in 0...100 { #expect(checksum(bytes, splitAt: index, inHardware: way) == whole) }
        }
    }
}
