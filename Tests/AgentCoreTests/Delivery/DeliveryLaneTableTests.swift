// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct DeliveryLaneTableTests {
    @Test func theFullestLaneIsTheOneWithMostBlockedEvents() {
        var table = LaneTable()
        table.waiting[3] = 5
        table.waiting[200] = 6
        var spared = LaneSet()
        #expect(table.fullest(but: spared) == 200)
        spared.insert(200)
        #expect(table.fullest(but: spared) == 3)
        spared.insert(3)
        #expect(table.fullest(but: spared) == nil)
    }

    @Test func aSpilledLaneIsReadableOnceItsKeysAreDone() {
        var table = LaneTable()
        table.keys[7] = 1
        table.spill(7, resumeAfter: EventID(40))
        #expect(table.readable == nil && table.spilled.contains(7))
        table.keys[7] = 0
        #expect(table.readable?.after == EventID(40) && table.readable?.lanes.contains(7) == true)
        #expect(table.isNew(EventID(41), in: 7) && !table.isNew(EventID(40), in: 7) && !table.isNew(EventID(41), in: 8))
    }

    @Test func aLaneThatIsSpilledAgainResumesFromTheOlderEvent() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        table.spill(7, resumeAfter: EventID(60))
        #expect(table.readable?.after == EventID(40))
    }

    @Test func severalLanesAreReadFromTheOldestOfTheirPoints() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        table.spill(8, resumeAfter: EventID(20))
        #expect(table.readable?.after == EventID(20))
        #expect(!table.isNew(EventID(30), in: 7) && table.isNew(EventID(30), in: 8))
    }

    @Test func aLaneReadAsFarAsTheRestIsOneLikeAllOthers() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        var lanes = LaneSet()
        lanes.insert(7)
        table.wasRead(lanes, through: EventID(50), readThrough: EventID(100))
        #expect(table.spilled.contains(7) && table.readable?.after == EventID(50))
        table.wasRead(lanes, through: EventID(100), readThrough: EventID(100))
        #expect(!table.spilled.contains(7) && table.readable == nil)
    }
}
