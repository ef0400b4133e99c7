// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct EventCRC32CTests {
    private func checksum(_ bytes: [UInt8], splitAt index: Int? = nil) -> UInt32 {
        var crc = CRC32C()
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

    @Test(arguments: vectors)
    func checksumsAreThoseOfTheStandard(bytes: [UInt8], expected: UInt32) {
        #expect(checksum(bytes) == expected)
    }

    @Test func piecesMakeTheSameChecksumAsTheWhole() {
        let bytes = (0..<100).map { UInt8($0 &* 37 & 255) }
        let whole = checksum(bytes)
        for index in 0...100 { #expect(checksum(bytes, splitAt: index) == whole) }
        var ofText = CRC32C()
        ofText.update("123456789")
        #expect(ofText.value == 0xe306_9283)
    }
}
