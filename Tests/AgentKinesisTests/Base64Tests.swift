// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@testable import AgentKinesis

@Suite struct Base64Tests {
    @Test func agreesWithFoundationAtEveryLengthAndOffset() {
        let bytes = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ $0 >> 3) }
        for start in 0..<8 {
            for count in 0...300 {
                let slice = Array(bytes[start..<start + count])
                #expect(encode(slice) == Data(slice).base64EncodedString())
            }
        }
    }

    @Test func everyByteValueHasItsText() {
        let all = (0...255).map { UInt8($0) }
        #expect(encode(all) == Data(all).base64EncodedString())
        #expect(encode(Array(repeating: 0xff, count: 6)) == "////////")
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy"),
    ])
    func matchesTheVectorsOfRFC4648(_ plain: String, _ text: String) {
        #expect(encode(Array(plain.utf8)) == text)
    }

    /// Encodes into memory of exactly the promised size, with a guard behind it.
    private func encode(_ bytes: [UInt8]) -> String {
        let count = Base64.encodedCount(bytes.count)
        var target = [UInt8](repeating: 0x23, count: count + 8)
        let written = target.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes { Base64.encode($0, to: target.baseAddress!) }
        }
        #expect(written == count)
        #expect(target[count...].allSatisfy { $0 == 0x23 })
        return String(decoding: target[..<count], as: UTF8.self)
    }
}
