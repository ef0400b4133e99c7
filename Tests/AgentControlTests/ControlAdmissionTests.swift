// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentControl

@Suite struct ControlAdmissionTests {
    @Test func noLaneTakesThePlaceOfAnother() {
        for full in ControlLane.allCases where full != .shared {
            var admission = ControlAdmission<Int>()
            var id = 0
            while admission.enter(id, full) != .refuse {
                id += 1
                #expect(id < ControlServer.maxConnections)
            }
            for other in ControlLane.allCases where other != full {
                #expect(admission.enter(1000, other) == .begin, "\(full) shuts \(other) out")
            }
        }
    }

    @Test func allLanesTogetherLeaveRoomForQuestions() {
        let bounds = ControlLane.allCases.filter { $0 != .shared }.map(ControlAdmission<Int>.bounds)
        #expect(bounds.reduce(0) { $0 + $1.working + $1.later } <= ControlServer.maxConnections - 16)
    }

    @Test func turnsComeInTheOrderOfRequests() {
        var admission = ControlAdmission<Int>()
        for id in 0..<4 { #expect(admission.enter(id, .reading) == .begin) }
        for id in 4..<12 { #expect(admission.enter(id, .reading) == .later) }
        #expect(admission.enter(12, .reading) == .refuse)
        // One that goes away before its turn.
        #expect(admission.leave(5, .reading) == nil)
        #expect(admission.leave(2, .reading) == 4)
        #expect(admission.leave(0, .reading) == 6)
        #expect(admission.enter(13, .reading) == .later)
        var turns: [Int] = []
        var working = 1
        while let next = admission.leave(working, .reading) {
            turns.append(next)
            working = next
        }
        #expect(turns == [7, 8, 9, 10, 11, 13])
    }
}
