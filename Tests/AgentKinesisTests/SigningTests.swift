// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentKinesis

@Suite struct SigningTests {
    /// The signature that botocore 1.43.11 makes for the same request.
    @Test func signsAsOthersDo() {
        let time = WallTime(seconds: 1_893_553_445)
        var signer = RequestSigner(region: "us-east-1", service: "kinesis", credentials: FixedProvider.credentials)
        let authorization = Array(#"{"StreamName":"s"}"#.utf8).withUnsafeBytes {
            signer.authorization(
                path: "/",
                headers: [
                    ("content-type", "application/x-amz-json-1.1"), ("host", "kinesis.us-east-1.amazonaws.com"),
                    ("x-amz-date", time.basicISO8601), ("x-amz-security-token", "TOKEN"),
                    ("x-amz-target", "Kinesis_20131202.PutRecords"),
                ],
                body: $0,
                timestamp: time.basicISO8601
            )
        }
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20300102/us-east-1/kinesis/aws4_request, "
                + "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
                + "Signature=8b53f5cfa843d5458a92f596287f2dc455022613f147880bcba0bfbbde06fc17"
        )
    }

    @Test func aSecondSignatureOfADayIsAsGoodAsTheFirst() {
        var kept = RequestSigner(region: "us-east-1", service: "kinesis", credentials: FixedProvider.credentials)
        for timestamp in ["20300102T030405Z", "20300102T235959Z", "20300103T000000Z", "20300102T030405Z"] {
            var fresh = RequestSigner(region: "us-east-1", service: "kinesis", credentials: FixedProvider.credentials)
            let headers = [(name: "x-amz-date", value: timestamp)]
            let body = UnsafeRawBufferPointer(start: nil, count: 0)
            let again = kept.authorization(path: "/", headers: headers, body: body, timestamp: timestamp)
            let first = fresh.authorization(path: "/", headers: headers, body: body, timestamp: timestamp)
            #expect(again == first)
        }
    }

    @Test(arguments: [(0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_893_553_445, "20300102T030405Z")])
    func writesTimesAsSignaturesHaveThem(_ seconds: Int64, _ text: String) {
        #expect(WallTime(seconds: seconds).basicISO8601 == text)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2030-01-02T03:04:05Z", 1_893_553_445),
            ("2030-01-02t03:04:05.678z", 1_893_553_445),
            ("2030-01-02T04:34:05+01:30", 1_893_553_445), ("2030-01-01T22:04:05-05:00", 1_893_553_445),
            ("2030-01-02T03:04:05", nil), ("2030-01-02 03:04:05Z", nil), ("2030-13-02T03:04:05Z", nil),
            ("2030-01-02T03:04:05Zx", nil), ("2030-01-02T03:04:05+0130", nil), ("", nil), ("soon", nil),
        ] as [(String, Int64?)]
    )
    func readsTheTimesOfCredentials(_ text: String, _ seconds: Int64?) {
        #expect(WallTime(rfc3339: text) == seconds.map { WallTime(seconds: $0) })
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

@Suite struct EndpointClocksTests {
    private let boot = Instant(nanoseconds: 5_000_000_000)
    private let wall = WallTime(seconds: 1_000_000)

    private func clocks(_ skews: [String: Int64]) -> EndpointClocks {
        let clocks = EndpointClocks()
        for (url, skew) in skews { clocks.clock(of: url).learn(WallTime(seconds: 1_000_000 + skew), at: boot) }
        return clocks
    }

    @Test func oneEndpointsClockIsNotAnothers() {
        let clocks = clocks(["a": 3600, "b": 0])
        #expect(clocks.clock(of: "a").correctedTime(wall, at: boot) == WallTime(seconds: 1_003_600))
        #expect(clocks.clock(of: "b").correctedTime(wall, at: boot) == nil)
        #expect(clocks.clock(of: "never heard of").correctedTime(wall, at: boot) == nil)
    }

    @Test func theServicesTimeIsThisMachinesUnlessNobodyAgreesWithIt() {
        #expect(clocks([:]).serviceTime(wall, at: boot) == wall)
        #expect(clocks(["a": 3600, "b": 1]).serviceTime(wall, at: boot) == wall)
        #expect(
            clocks(["a": 3600, "b": 3601, "c": -90_000]).serviceTime(wall, at: boot) == WallTime(seconds: 1_003_600)
        )
    }

    @Test func whatOthersShowTellsWhoseClockIsWrong() throws {
        let machine = try #require(clocks(["a": 3600, "b": 3610]).advice(on: "a", wall, at: boot))
        #expect(machine.hasPrefix("Set this machine's clock (NTP): it is 3600 s behind the clock at a"))
        let endpoint = try #require(clocks(["a": -90_000, "b": 1]).advice(on: "a", wall, at: boot))
        #expect(
            endpoint.hasPrefix("Set the clock at a, or of the proxy that answers there: this machine's is 25 h ahead")
        )
        let nobody = try #require(clocks(["a": 900_000]).advice(on: "a", wall, at: boot))
        #expect(nobody.hasPrefix("Set this machine's clock (NTP) if it is wrong, else the one at the endpoint"))
        #expect(nobody.contains("10 days behind"))
        #expect(clocks(["a": 3, "b": 3600]).advice(on: "a", wall, at: boot) == nil)
    }
}
