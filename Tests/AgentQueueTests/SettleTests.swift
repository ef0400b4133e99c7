// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Testing

@testable import AgentQueue

struct SettleTests {
    @Test(arguments: [
        [1, 2, 3], [1, 3, 5], [4], [1, 2, 4, 5, 6], [6, 7, 8], [20], [2, 3, 3, 4], Array(1...6),
    ])
    func deletesJustWhatWasAsked(ids: [Int64]) throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(6, to: id, bytes: 30))
        fixture.settle(ids, of: id)
        let left = (1...6).filter { !ids.contains(Int64($0)) }.map(Int64.init)
        #expect(try fixture.ids(id) == left)
        #expect(fixture.totals.delivered == Int64(6 - left.count))
        #expect(fixture.totals.queuedBytes == Int64(left.count * (30 + 1 + 64)))
        #expect(fixture.totals.isBalanced)
        #expect(fixture.recorder.commits.last { !$0.settled.isEmpty }?.settled.first?.ids.map(\.rawValue) == ids)
    }

    @Test func countsAnEventOnce() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.settle([1, 2], of: id)
        fixture.settle([1, 2, 3], of: id)
        #expect(fixture.totals.delivered == 3)
        #expect(fixture.totals.isBalanced)
    }

    @Test func leavesNeighboursOfOtherDestinationsAndUnsettledOnes() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        try fixture.append((0..<200).map { fixture.events(1, to: $0 % 2 == 0 ? a : b)[0] })
        fixture.settle([1, 3, 7, 199], of: a)
        #expect(try fixture.ids(a).count == 96)
        #expect(try fixture.ids(a).prefix(3) == [5, 9, 11])
        #expect(try fixture.ids(b).count == 100)
    }

    @Test func ridesAlongWithAppends() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        let writer = fixture.queue.writer
        writer.queue.suspend()
        fixture.queue.settle([Settlement(destination: id, ids: [EventID(1)])])
        fixture.queue.append([fixture.request(fixture.events(1, to: id))])
        writer.queue.resume()
        fixture.drain()
        #expect(fixture.recorder.commits.count == 2)
        #expect(fixture.recorder.commits[1].settled.count == 1)
        #expect(fixture.recorder.commits[1].appended.count == 1)
    }

    @Test func anUnsyncedSettlementIsSyncedByUpkeep() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        #expect(!fixture.hasUnsynced)
        fixture.settle([1], of: id)
        #expect(fixture.hasUnsynced)
        fixture.upkeep()
        #expect(!fixture.hasUnsynced)
    }

    @Test func normalDurabilityIsSyncedByUpkeepToo() throws {
        let fixture = try QueueFixture { $0.durability = .normal }
        try fixture.append(fixture.events(2, to: fixture.destination()))
        #expect(fixture.hasUnsynced)
        fixture.upkeep()
        #expect(!fixture.hasUnsynced)
    }

    @Test func oldestAgeFollowsTheHead() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        fixture.time.advance(.seconds(5))
        try fixture.append(fixture.events(1, to: id))
        #expect(fixture.queue.snapshot().oldestAge == .seconds(5))
        fixture.settle([1], of: id)
        #expect(fixture.queue.snapshot().oldestAge == .seconds(0))
        fixture.settle([2], of: id)
        #expect(fixture.queue.snapshot().oldestAge == nil)
    }
}
