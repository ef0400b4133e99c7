// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct EventKeyTests {
    @Test func keysAreEqualByteForByte() {
        let composed = EventKey(partitionKey: "caf\u{e9}")
        let decomposed = EventKey(partitionKey: "cafe\u{301}")
        #expect(composed.partitionKey == decomposed.partitionKey)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed, EventKey(partitionKey: "caf\u{e9}")]).count == 2)
        #expect(EventKey(partitionKey: "a", explicitHashKey: "1") != EventKey(partitionKey: "a"))
        #expect(EventKey(partitionKey: "a", explicitHashKey: "1") != EventKey(partitionKey: "a", explicitHashKey: "2"))
    }

    @Test func aHashKeyWithoutAPartitionKeyServesAsBoth() {
        let key = EventKey(partitionKey: "", explicitHashKey: "17")
        #expect(key.partitionKey == "17" && key.explicitHashKey == "17" && !key.isNone)
        #expect(key.bytes == 2 && key.storedBytes == 4)
        #expect(EventKey.none.isNone && EventKey.none.bytes == 0)
    }

    @Test func aKeyLiesInTheLaneOfItsHash() {
        #expect(EventKey(partitionKey: "a").hashPoint == 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661)
        #expect(EventKey(partitionKey: "a").lane == 0x0c)
        #expect(EventKey(partitionKey: "a", explicitHashKey: "0").lane == 0)
        #expect(EventKey(partitionKey: "a", explicitHashKey: String(UInt128.max)).lane == 255)
        #expect(EventKey(partitionKey: "a", explicitHashKey: String(UInt128(7) << 120)).lane == 7)
    }

    @Test func aSetOfLanesHoldsWhatWasPutIn() {
        var lanes = LaneSet()
        #expect(lanes.isEmpty)
        let chosen: [Lane] = [0, 1, 63, 64, 127, 128, 200, 255]
        for lane in chosen { lanes.insert(lane) }
        #expect((0...255).filter { lanes.contains($0) } == chosen)
        for lane in chosen { lanes.remove(lane) }
        #expect(lanes.isEmpty)
    }
}
