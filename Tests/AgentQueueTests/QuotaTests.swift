// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

struct QuotaTests {
    /// 100 bytes as the quota counts: 35 of data, 1 of key, 64.
    private static let data = 35

    @Test func theWholeQueueIsAHardLimit() throws {
        let fixture = try QueueFixture { $0.maxBytes = 10_000 }
        // Eleven destinations, each below a tenth.
        for n in 0..<11 { try fixture.append(fixture.events(9, to: fixture.destination("s\(n)"), bytes: Self.data)) }
        let last = fixture.destination("last")
        try fixture.append(fixture.events(1, to: last, bytes: Self.data))
        #expect(fixture.totals.queuedBytes == 10_000)
        let refusal = fixture.refusal(fixture.events(1, to: last, bytes: 1))
        #expect(refusal == .queueFull(usedBytes: 10_000, limitBytes: 10_000))
        #expect(fixture.totals.refused == 1)
        fixture.settle([1], of: fixture.destination("s0"))
        try fixture.append(fixture.events(1, to: last, bytes: Self.data))
        #expect(fixture.totals.isBalanced)
    }

    @Test func whoHoldsMoreThanATenthDoesNotGetTheLastTenth() throws {
        let fixture = try QueueFixture { $0.maxBytes = 10_000 }
        let (big, small) = (fixture.destination("big"), fixture.destination("small"))
        try fixture.append(fixture.events(90, to: big, bytes: Self.data))
        let refusal = fixture.refusal(fixture.events(1, to: big, bytes: Self.data))
        #expect(refusal == .lastTenth(big, usedBytes: 9000, limitBytes: 10_000))
        try fixture.append(fixture.events(10, to: small, bytes: Self.data))
        #expect(fixture.refusal(fixture.events(1, to: small, bytes: Self.data)) != nil)
        #expect(fixture.totals.queuedBytes == 10_000)
    }

    @Test func aDestinationsOwnLimitHoldsFromItsFirstEvent() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        fixture.queue.setLimit(250, of: a)
        try fixture.append(fixture.events(2, to: a, bytes: Self.data))
        let refusal = fixture.refusal(fixture.events(1, to: a, bytes: Self.data))
        #expect(refusal == .destinationFull(a, usedBytes: 200, limitBytes: 250))
        try fixture.append(fixture.events(9, to: b, bytes: Self.data))
        #expect(fixture.queue.snapshot().streams.map(\.totals.refused) == [1, 0])
    }

    @Test func aRequestIsKeptWholeOrNotAtAllAndDisturbsNoOther() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        fixture.queue.setLimit(150, of: a)
        let requests = [
            fixture.request(fixture.events(1, to: b, bytes: Self.data)),
            fixture.request(fixture.events(1, to: b) + fixture.events(2, to: a, bytes: Self.data)),
            fixture.request(fixture.events(1, to: a, bytes: Self.data)),
        ]
        fixture.queue.append(requests)
        fixture.drain()
        guard case .stored(EventID(1)) = fixture.recorder.answer(requests[0].token),
            case .refused(.tooLarge(bytes: 200, limitBytes: 150)) = fixture.recorder.answer(requests[1].token),
            case .stored(EventID(2)) = fixture.recorder.answer(requests[2].token)
        else {
            Issue.record("wrong answers")
            return
        }
        #expect(fixture.totals.queuedEvents == 2)
        #expect(fixture.totals.refused == 3)
    }

    @Test func refusalsAreKeptOverARestart() throws {
        let fixture = try QueueFixture { $0.maxBytes = 1000 }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id, bytes: Self.data))
        _ = fixture.refusal(fixture.events(5, to: id, bytes: 5000))
        try fixture.reopen()
        #expect(fixture.totals.refused == 5)
    }

    @Test func aLoweredLimitEvictsNothing() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(10, to: id, bytes: Self.data))
        fixture.settings.maxBytes = 500
        fixture.queue.reconfigure(fixture.settings)
        #expect(fixture.refusal(fixture.events(1, to: id, bytes: Self.data)) != nil)
        #expect(fixture.totals.queuedEvents == 10)
    }

    @Test func dropOldestMakesJustEnoughRoom() throws {
        let fixture = try QueueFixture {
            $0.maxBytes = 10_000
            $0.whenFull = .dropOldest
        }
        let id = fixture.destination()
        try fixture.append(fixture.events(90, to: id, bytes: Self.data))
        try fixture.append(fixture.events(2, to: id, bytes: Self.data + 10))
        #expect(try fixture.ids(id).first == 4)
        #expect(fixture.totals.evicted == 3)
        #expect(fixture.totals.queuedEvents == 89)
        #expect(fixture.totals.isBalanced)
        let removed = fixture.recorder.commits.last { !$0.removed.isEmpty }?.removed
        #expect(removed?.map(\.through) == [EventID(3)])
        #expect(removed?.map(\.count) == [3])
        #expect(removed?.map(\.cause) == [.evicted])
    }

    @Test func dropOldestTakesFromWhoIsOverItsShareElseTheOldest() throws {
        let fixture = try QueueFixture {
            $0.maxBytes = 10_000
            $0.whenFull = .dropOldest
        }
        let old = (0..<10).map { fixture.destination("s\($0)") }
        for id in old { try fixture.append(fixture.events(10, to: id, bytes: Self.data)) }
        let new = fixture.destination("new")
        try fixture.append(fixture.events(1, to: new, bytes: Self.data))
        #expect(try fixture.ids(old[0]).count == 9)
        fixture.queue.setLimit(500, of: old[5])
        try fixture.append(fixture.events(1, to: new, bytes: Self.data))
        #expect(try fixture.ids(old[5]).count == 9)
        #expect(try fixture.ids(old[0]).count == 9)
        #expect(fixture.totals.isBalanced)
    }

    @Test func whatCanNeverFitEvictsNothing() throws {
        let fixture = try QueueFixture {
            $0.maxBytes = 10_000
            $0.whenFull = .dropOldest
        }
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        try fixture.append(fixture.events(80, to: a, bytes: Self.data))
        #expect(fixture.refusal(fixture.events(1, to: b, bytes: 20_000)) != nil)
        fixture.queue.setLimit(100, of: b)
        #expect(fixture.refusal(fixture.events(1, to: b, bytes: 1000)) != nil)
        #expect(fixture.totals.queuedEvents == 80)
    }

    @Test func anEventEvictedInItsOwnCommitIsNotReportedAsAppended() throws {
        let fixture = try QueueFixture {
            $0.maxBytes = 1000
            $0.whenFull = .dropOldest
        }
        let id = fixture.destination()
        fixture.queue.append((0..<20).map { _ in fixture.request(fixture.events(1, to: id, bytes: Self.data)) })
        fixture.drain()
        let commit = fixture.recorder.commits.first
        #expect(fixture.recorder.commits.count == 1)
        #expect(commit?.appended.first?.events.map(\.id.rawValue) == Array(12...20))
        #expect(commit?.removed.last?.through == EventID(11))
        #expect(fixture.totals.evicted == 11)
        #expect(fixture.totals.isBalanced)
    }
}
