// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentKinesis

@Suite struct SigningTests {
    /// FIPS 180-4 examples, and lengths around the padding's edge.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func hashesPublishedVectors(_ message: String, _ digest: String) {
        #expect(hex(SHA256.digest(Array(message.utf8))) == digest)
    }

    /// RFC 4231, cases 2 and 6.
    @Test func authenticatesPublishedVectors() {
        #expect(
            hex(SHA256.hmac(key: Array("Jefe".utf8), "what do ya want for nothing?"))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        #expect(
            hex(
                SHA256.hmac(
                    key: Array(repeating: 0xaa, count: 131),
                    "Test Using Larger Than Block-Size Key - Hash Key First"
                )
            ) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    }

    /// The signature that botocore 1.43.11 makes for the same request.
    @Test func signsAsOthersDo() {
        let time = WallTime(seconds: 1_893_553_445)
        let signer = RequestSigner(region: "us-east-1", service: "kinesis", credentials: FixedProvider.credentials)
        let authorization = Array(#"{"StreamName":"s"}"#.utf8).withUnsafeBytes {
            signer.authorization(
                path: "/",
                headers: [
                    ("content-type", "application/x-amz-json-1.1"), ("host", "kinesis.us-east-1.amazonaws.com"),
                    ("x-amz-date", time.basicISO8601), ("x-amz-security-token", "TOKEN"),
                    ("x-amz-target", "Kinesis_20131202.PutRecords"),
                ],
                body: $0,
                time: time
            )
        }
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20300102/us-east-1/kinesis/aws4_request, "
                + "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
                + "Signature=8b53f5cfa843d5458a92f596287f2dc455022613f147880bcba0bfbbde06fc17"
        )
    }

    @Test(arguments: [(0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_893_553_445, "20300102T030405Z")])
    func writesTimesAsSignaturesHaveThem(_ seconds: Int64, _ text: String) {
        #expect(WallTime(seconds: seconds).basicISO8601 == text)
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

@Suite struct ClockOffsetTests {
    private let boot = Instant(nanoseconds: 5_000_000_000)
    private let wall = WallTime(seconds: 1_000_000)

    @Test func correctsNothingUntilItLearns() {
        #expect(ClockOffset().correctedTime(wall, at: boot) == nil)
    }

    @Test(arguments: [-119, -1, 0, 1, 119])
    func toleratesASmallDifference(_ seconds: Int64) {
        let offset = ClockOffset()
        offset.learn(WallTime(seconds: 1_000_000 + seconds), at: boot)
        #expect(offset.skew(of: wall, at: boot) == .seconds(seconds))
        #expect(offset.correctedTime(wall, at: boot) == nil)
    }

    @Test(arguments: [-900_000, -240, -120, 120, 240, 900_000_000])
    func correctsALargeOneAndGoesOnWithTheTimeSinceBoot(_ seconds: Int64) {
        let offset = ClockOffset()
        offset.learn(WallTime(seconds: 1_000_000 + seconds), at: boot)
        let later = offset.correctedTime(WallTime(seconds: 1_000_060), at: boot + .seconds(60))
        #expect(later == WallTime(seconds: 1_000_060 + seconds))
    }

    @Test func aStepOfTheWallClockLeavesTheServicesTimeAsItIs() {
        let offset = ClockOffset()
        offset.learn(WallTime(seconds: 900_000_000), at: boot)
        let stepped = WallTime(seconds: 900_000_010)
        #expect(offset.correctedTime(stepped, at: boot + .seconds(10)) == nil)
    }
}

@Suite struct KinesisSettingsTests {
    @Test(arguments: [
        ("us-east-1", "https://kinesis.us-east-1.amazonaws.com"),
        ("cn-north-1", "https://kinesis.cn-north-1.amazonaws.com.cn"),
    ])
    func eachRegionHasItsEndpoint(_ region: String, _ url: String) {
        #expect(KinesisSettings().endpoint(Destination(region: region, stream: "s")) == url)
    }

    @Test func aConfiguredEndpointIsForAllRegions() {
        let settings = KinesisSettings(endpoint: "http://127.0.0.1:4567")
        #expect(settings.endpoint(Destination(region: "cn-north-1", stream: "s")) == "http://127.0.0.1:4567")
    }
}
