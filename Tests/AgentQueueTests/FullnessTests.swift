// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Testing

@testable import AgentQueue

struct FullnessTests {
    /// 100 bytes as the quota counts.
    private static let data = 35

    private func notices(_ fixture: QueueFixture) -> [QueueNotice] { fixture.recorder.notices }

    @Test func aFullQueueIsToldOnceAndUntilThereIsRoom() throws {
        let fixture = try QueueFixture { $0.maxBytes = 1000 }
        let id = fixture.destination()
        try fixture.append(fixture.events(9, to: id, bytes: Self.data))
        for _ in 0..<5 { #expect(fixture.refusal(fixture.events(1, to: id, bytes: Self.data)) != nil) }
        let full = QueueNotice.queueFull(usedBytes: 900, limitBytes: 1000, isForAll: true)
        #expect(notices(fixture) == [full])
        // Still full.
        fixture.time.advance(.seconds(60))
        fixture.upkeep()
        #expect(notices(fixture) == [full])
        fixture.settle([1, 2], of: id)
        fixture.upkeep()
        #expect(notices(fixture) == [full, .queueHasRoom])
    }

    @Test func whoIsRefusedAgainAndAgainIsNotToldThatThereIsRoom() throws {
        let fixture = try QueueFixture { $0.maxBytes = 1000 }
        let id = fixture.destination()
        try fixture.append(fixture.events(9, to: id, bytes: Self.data))
        #expect(fixture.refusal(fixture.events(1, to: id, bytes: Self.data)) != nil)
        fixture.settle([1], of: id)
        fixture.upkeep()
        #expect(notices(fixture).count == 1)
        fixture.time.advance(.seconds(4))
        fixture.upkeep()
        #expect(notices(fixture).last == .queueHasRoom)
    }

    @Test func theLastTenthIsFullForWhoHoldsMostOnly() throws {
        let fixture = try QueueFixture { $0.maxBytes = 10_000 }
        let (big, small) = (fixture.destination("big"), fixture.destination("small"))
        try fixture.append(fixture.events(1, to: small, bytes: Self.data))
        try fixture.append(fixture.events(89, to: big, bytes: Self.data))
        #expect(fixture.refusal(fixture.events(1, to: big, bytes: Self.data)) != nil)
        #expect(notices(fixture) == [.queueFull(usedBytes: 9000, limitBytes: 10_000, isForAll: false)])
        try fixture.append(fixture.events(9, to: small, bytes: Self.data))
        try fixture.append(fixture.events(1, to: fixture.destination("third"), bytes: Self.data))
        #expect(fixture.refusal(fixture.events(1, to: fixture.destination("third"), bytes: Self.data)) != nil)
        #expect(notices(fixture).last == .queueFull(usedBytes: 10_000, limitBytes: 10_000, isForAll: true))
    }

    @Test func fullSharesAreToldWithTheirStreams() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        for id in [a, b] {
            fixture.queue.setLimit(250, of: id)
            try fixture.append(fixture.events(2, to: id, bytes: Self.data))
        }
        for id in [a, b, a] { #expect(fixture.refusal(fixture.events(1, to: id, bytes: Self.data)) != nil) }
        func told() -> [[String]] {
            notices(fixture).map {
                if case .sharesFull(let shares) = $0 { shares.map(\.destination.stream) } else { ["?"] }
            }
        }
        #expect(told() == [["a"]])
        fixture.upkeep()
        #expect(told() == [["a"], ["a", "b"]])
        fixture.settle([1], of: a)
        fixture.time.advance(.seconds(4))
        fixture.upkeep()
        #expect(told() == [["a"], ["a", "b"], ["b"]])
        fixture.queue.setLimit(0, of: b)
        fixture.upkeep()
        #expect(told().last == [])
        // Others are taken all the time.
        try fixture.append(fixture.events(1, to: fixture.destination("c")))
    }

    @Test func whatNeverFitsIsSaidToBeTooLarge() throws {
        let fixture = try QueueFixture { $0.maxBytes = 10_000 }
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        fixture.queue.setLimit(500, of: b)
        #expect(
            fixture.refusal(fixture.events(101, to: a, bytes: Self.data))
                == .tooLarge(bytes: 10_100, limitBytes: 10_000)
        )
        #expect(
            fixture.refusal(fixture.events(91, to: a, bytes: Self.data)) == .tooLarge(bytes: 9100, limitBytes: 9000)
        )
        #expect(fixture.refusal(fixture.events(6, to: b, bytes: Self.data)) == .tooLarge(bytes: 600, limitBytes: 500))
        #expect(fixture.totals.refused == 198)
        // That says nothing of the queue.
        #expect(notices(fixture).isEmpty)
        try fixture.append(fixture.events(90, to: a, bytes: Self.data))
    }

    // MARK: What counts as refused

    @Test func whoWaitsForRoomIsNotCountedAsRefused() throws {
        let fixture = try QueueFixture { $0.maxBytes = 1000 }
        let id = fixture.destination()
        try fixture.append(fixture.events(9, to: id, bytes: Self.data))
        func offer(_ events: [NewEvent], _ token: UInt64) -> AppendAnswer.Outcome? {
            fixture.queue.append([
                AppendRequest(events: events, waitsForRoom: true, token: token, receiver: fixture.recorder)
            ])
            fixture.drain()
            return fixture.recorder.answer(token)
        }
        for n in 0..<20 as Range<UInt64> {
            guard case .refused(.lastTenth) = offer(fixture.events(1, to: id, bytes: Self.data), 1000 + n) else {
                Issue.record("there is room")
                return
            }
        }
        #expect(fixture.totals.refused == 0)
        // It is offered in halves, until one alone does not fit.
        _ = offer(fixture.events(2, to: id, bytes: 5000), 2000)
        #expect(fixture.totals.refused == 0)
        _ = offer(fixture.events(1, to: id, bytes: 5000), 2001)
        #expect(fixture.totals.refused == 1)
    }

    @Test func refusalsOfAFailingDiskAreCountedOnceAndNeverTakenBack() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture {
            $0.vfs = vfs.name
            $0.maxBytes = 10_000
        }
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        #expect(fixture.refusal(fixture.events(5, to: id, bytes: 3000)) != nil)
        #expect(fixture.totals.refused == 5)
        vfs.fail(.write)
        guard case .storage = fixture.refusal(fixture.events(3, to: id)) else {
            Issue.record("not storage")
            return
        }
        // The file was opened again.
        #expect(fixture.recorder.notices.contains(.reopened))
        #expect(fixture.totals.refused == 8)
        vfs.fail(.sync)
        vfs.fail(.open, times: .max)
        guard case .unknown = fixture.refusal(fixture.events(4, to: id)) else {
            Issue.record("not unknown")
            return
        }
        #expect(fixture.refusal(fixture.events(1, to: id)) != nil)
        vfs.lift()
        let writer = fixture.queue.writer
        writer.queue.sync { writer.retry() }
        // Now it is known of the four.
        let stored = try fixture.ids(id).count == 6
        #expect(fixture.totals.refused == (stored ? 9 : 13))
        try fixture.append(fixture.events(1, to: id))
        try fixture.reopen()
        #expect(fixture.totals.refused == (stored ? 9 : 13))
        fixture.queue.close()
        let late = fixture.request(fixture.events(1, to: id))
        fixture.queue.append([late])
        fixture.drain()
        #expect(fixture.totals.refused == (stored ? 10 : 14))
    }
}
