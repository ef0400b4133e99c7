// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct DeliveryLaneTableTests {
    @Test func theFullestLanesAreSpilledUntilFewEventsAreLeft() {
        var table = LaneTable()
        table.waiting[3] = 5
        table.waiting[200] = 6
        table.waiting[9] = 1
        func lanes(leaving left: Int) -> [Lane] {
            let set = table.fullest(leaving: left)
            return (0...255 as ClosedRange<Lane>).filter(set.contains)
        }
        #expect(lanes(leaving: 12) == [])
        #expect(lanes(leaving: 6) == [200])
        #expect(lanes(leaving: 5) == [3, 200])
        #expect(lanes(leaving: 0) == [3, 9, 200])
    }

    @Test func onlyLanesThatAreWantedAreRead() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        table.spill(8, resumeAfter: EventID(20))
        #expect(table.readable { $0 == 7 }?.after == EventID(40))
        #expect(table.readable { _ in false } == nil)
    }

    @Test func aSpilledLaneIsReadableOnceItsKeysAreDone() {
        var table = LaneTable()
        table.keys[7] = 1
        table.spill(7, resumeAfter: EventID(40))
        #expect(readable(table) == nil && table.spilled.contains(7))
        table.keys[7] = 0
        #expect(readable(table)?.after == EventID(40) && readable(table)?.lanes.contains(7) == true)
        #expect(table.isNew(EventID(41), in: 7) && !table.isNew(EventID(40), in: 7) && !table.isNew(EventID(41), in: 8))
    }

    @Test func aLaneThatIsSpilledAgainResumesFromTheOlderEvent() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        table.spill(7, resumeAfter: EventID(60))
        #expect(readable(table)?.after == EventID(40))
    }

    @Test func severalLanesAreReadFromTheOldestOfTheirPoints() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        table.spill(8, resumeAfter: EventID(20))
        #expect(readable(table)?.after == EventID(20))
        #expect(!table.isNew(EventID(30), in: 7) && table.isNew(EventID(30), in: 8))
    }

    @Test func aLaneReadAsFarAsTheRestIsOneLikeAllOthers() {
        var table = LaneTable()
        table.spill(7, resumeAfter: EventID(40))
        var lanes = LaneSet()
        lanes.insert(7)
        table.wasRead(lanes, through: EventID(50), readThrough: EventID(100))
        #expect(table.spilled.contains(7) && readable(table)?.after == EventID(50))
        table.wasRead(lanes, through: EventID(100), readThrough: EventID(100))
        #expect(!table.spilled.contains(7) && readable(table) == nil)
    }

    private func readable(_ table: LaneTable) -> (lanes: LaneSet, after: EventID)? { table.readable { _ in true } }
}
