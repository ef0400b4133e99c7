// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct EventLimitsTests {
    @Test(arguments: ["a", "clicks-2_eu.west", String(repeating: "x", count: 128)])
    func namesOfStreams(name: String) { #expect(KinesisLimits.isStreamName(name)) }

    @Test(arguments: ["", "a b", "a/b", "käse", String(repeating: "x", count: 129)])
    func notNamesOfStreams(name: String) { #expect(!KinesisLimits.isStreamName(name)) }

    @Test(arguments: ["0", "1", "340282366920938463463374607431768211455"])
    func hashKeys(text: String) { #expect(KinesisLimits.isHashKey(text)) }

    @Test(arguments: ["", "-1", "+1", "01", "00", "1.0", "x", " 1", "340282366920938463463374607431768211456", "٣"])
    func notHashKeys(text: String) { #expect(!KinesisLimits.isHashKey(text)) }

    @Test func timeAddsUp() {
        let start = Instant(nanoseconds: 5)
        #expect(start + .milliseconds(3) == Instant(nanoseconds: 3_000_005))
        #expect((start + .seconds(2)) - start == .seconds(2))
        #expect(Duration.milliseconds(1500).wholeMilliseconds == 1500 && Duration.seconds(2).inSeconds == 2)
    }

    @Test func slicesOfAPayloadShareItsBytesUntilCompacted() {
        let block = Payload([UInt8](0..<100))
        let slice = block[10..<20]
        #expect(slice.bytes == [UInt8](10..<20) && slice[2..<4].bytes == [12, 13])
        #expect(slice.compacted() == slice && slice != block && block[0..<60].compacted() == block[0..<60])
        #expect(Payload("ä").text == "ä" && Payload([0xff]).text == nil)
    }
}
