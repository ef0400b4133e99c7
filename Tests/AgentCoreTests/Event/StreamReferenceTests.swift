// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Testing

@Suite struct StreamReferenceTests {
    @Test func aNameMayHaveARegion() {
        #expect(StreamReference("clicks") == StreamReference(name: "clicks"))
        #expect(StreamReference("clicks@eu-west-1") == StreamReference(name: "clicks", region: "eu-west-1"))
    }

    @Test(arguments: [
        "clicks@", "clicks@x@127.0.0.1:1/", "clicks@a b", "clicks@us-east-1\r\nX: 1", "a/b", "@us-east-1",
    ])
    func whatIsNoStreamOfARegionIsNone(_ text: String) throws {
        #expect(StreamReference(text) == nil)
        let json = try JSONEncoder().encode(text)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(StreamReference.self, from: json) }
    }
}
