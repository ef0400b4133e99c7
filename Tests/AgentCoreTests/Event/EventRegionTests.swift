// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct EventRegionTests {
    @Test(arguments: [
        ("us-east-1", "https://kinesis.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "https://kinesis.us-gov-west-1.amazonaws.com"),
        ("cn-northwest-1", "https://kinesis.cn-northwest-1.amazonaws.com.cn"),
        ("us-iso-east-1", "https://kinesis.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "https://kinesis.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "https://kinesis.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "https://kinesis.us-isof-south-1.csp.hci.ic.gov"),
        ("eusc-de-east-1", "https://kinesis.eusc-de-east-1.amazonaws.eu"),
    ])
    func eachRegionHasItsEndpoint(region: String, endpoint: String) {
        #expect(Region.publicEndpoint(of: region) == endpoint)
    }

    @Test func everyKnownRegionHasTheFormOfOne() {
        #expect(Region.known.count > 40)
        #expect(Region.known.allSatisfy { Region.isWellFormed($0) && Region.isKnown($0) })
    }

    @Test(arguments: ["eu-west-9", "xx-somewhere-12", "eu-cental-1"]) func othersOfThatFormAreNotKnown(region: String) {
        #expect(Region.isWellFormed(region) && !Region.isKnown(region))
        #expect(Region.publicEndpoint(of: region) == nil)
    }

    @Test(arguments: [
        "", "-", "us-east", "us-east-", "-us-east-1", "us--east-1", "us-east-1-", "US-EAST-1", "us-east-123", "useast1",
        "us-east-1 ", " us-east-1", "us-east-1\n", "us-east-1\r\nX-Evil: 1", "us-east-1/", "us-east-1.evil.example",
        "x@evil.example:80/", "évil-east-1", "us-east-١", "a-b-c-d-e-1", "us-\(String(repeating: "a", count: 40))-1",
        "us-east-1\u{0}", "us-east-1?", "us-east-1#",
    ])
    func whatIsNoRegionIsNotTakenForOne(text: String) { #expect(!Region.isWellFormed(text)) }
}
