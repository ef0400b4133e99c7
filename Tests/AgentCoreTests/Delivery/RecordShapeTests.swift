// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@Suite struct RecordShapeTests {
    @Test func eachRecordHasOneEventUnlessSaidOtherwise() {
        let shape = RecordShape(oneEach: 3)
        #expect(shape.records == 3)
        #expect((0..<3).map(shape.events(of:)) == [0..<1, 1..<2, 2..<3])
    }

    @Test func recordsOfSeveralEventsFollowEachOther() {
        let shape = RecordShape(counts: [2, 1, 3])
        #expect(shape.records == 3)
        #expect((0..<3).map(shape.events(of:)) == [0..<2, 2..<3, 3..<6])
    }
}
