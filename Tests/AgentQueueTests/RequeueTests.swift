// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Testing

@testable import AgentQueue

struct RequeueTests {
    /// A queue with so many dead letters of one destination.
    private func dead(_ count: Int, bytes: Int = 10, _ adjust: (inout QueueSettings) -> Void = { _ in }) throws
        -> (QueueFixture, DestinationID)
    {
        let fixture = try QueueFixture(adjust)
        let id = fixture.destination()
        try fixture.append(fixture.events(count, to: id, bytes: bytes))
        fixture.bury(Array(1...Int64(count)), of: id)
        #expect(fixture.totals.deadEvents == Int64(count))
        return (fixture, id)
    }

    @Test func manyGoInSlicesAndOthersInBetween() throws {
        let (fixture, id) = try dead(1800)
        let writer = fixture.queue.writer
        let other = fixture.request(fixture.events(1, to: fixture.destination("other")))
        let before = fixture.recorder.commits.count
        writer.queue.suspend()
        let done = try fixture.wait { (reply: @escaping @Sendable (Result<Requeued, QueueError>) -> Void) in
            fixture.queue.requeue(.these((1...1800).map { EventID($0) }), reply: reply)
            fixture.queue.append([other])
            writer.queue.resume()
        }
        #expect(done == Requeued(events: 1800, bytes: 1800 * 75))
        let commits = fixture.recorder.commits.dropFirst(before).filter { !$0.appended.isEmpty }
        #expect(commits.count >= 3)
        // It was answered before the last of them.
        let place = commits.firstIndex { $0.appended.contains { $0.destination == fixture.destination("other") } }
        #expect(place.map { $0 < commits.endIndex - 1 } == true)
        #expect(try fixture.ids(id).count == 1800)
        #expect(try fixture.scan(id).damaged.isEmpty)
        #expect(fixture.totals.deadEvents == 0 && fixture.totals.isBalanced)
    }

    @Test func moreThanAPageOfLargeOnesAllComeBack() throws {
        let (fixture, id) = try dead(60, bytes: 500_000)
        #expect(try fixture.deadLetters().count < 60)
        let counted = try fixture.wait { fixture.queue.count(.all(of: id), reply: $0) }
        #expect(counted == Requeued(events: 60, bytes: 60 * 500_000))
        #expect(try fixture.requeued(.all(of: id)).events == 60)
        #expect(try fixture.scan(id).events.count == 60)
    }

    @Test func idsAreFoundWhereverTheyAre() throws {
        let (fixture, _) = try dead(60, bytes: 500_000)
        let wanted = DeadLetterSelection.these([60, 1, 99, -4, .max, .min].map { EventID($0) })
        #expect(try fixture.wait { fixture.queue.count(wanted, reply: $0) } == Requeued(events: 2, bytes: 1_000_000))
        #expect(try fixture.requeued(wanted).events == 2)
    }

    @Test(arguments: [QueueSettings.WhenFull.reject, .dropOldest])
    func itStopsWhereTheQueueIsFull(whenFull: QueueSettings.WhenFull) throws {
        let (fixture, id) = try dead(20, bytes: 35) { $0.whenFull = whenFull }
        fixture.settings.maxBytes = 1000
        fixture.settings.whenFull = whenFull
        fixture.queue.reconfigure(fixture.settings)
        let done = try fixture.requeued(.all(of: id))
        #expect(done.events == 9 && done.left == 11)
        #expect(done.reason?.contains("queue.max_bytes") == true)
        #expect(fixture.totals.deadEvents == 11 && fixture.totals.evicted == 0 && fixture.totals.isBalanced)
        #expect(fixture.totals.refused == 0)
    }

    @Test func itStopsAtAStreamsOwnLimit() throws {
        let (fixture, id) = try dead(5, bytes: 35)
        fixture.queue.setLimit(250, of: id)
        let done = try fixture.requeued(.all(of: id))
        #expect(done.events == 2 && done.left == 3)
        #expect(done.reason?.contains("max_bytes") == true)
    }

    @Test func withTooLittleFreeDiskNothingIsRequeued() throws {
        let (fixture, id) = try dead(5)
        fixture.settings.minFreeDisk = 1 << 60
        fixture.queue.reconfigure(fixture.settings)
        let done = try fixture.requeued(.all(of: id))
        #expect(done.events == 0 && done.left == 5)
        #expect(done.reason?.contains("min_free_disk") == true)
    }

    @Test func whatACrashLeavesIsStillADeadLetter() throws {
        let (fixture, id) = try dead(1200)
        // One slice.
        let first = try fixture.wait {
            fixture.queue.carryOut(.requeue((1...1200).map { EventID($0) }[...]), reply: $0)
        }
        #expect(first.looked < 1200)
        let copy = try fixture.crashed()
        #expect(copy.totals == fixture.totals)
        #expect(copy.totals.deadEvents == 1200 - Int64(first.count))
        #expect(try copy.requeued(.all(of: id)).events == 1200 - first.count)
        #expect(try Set(copy.ids(id)).count == 1200)
    }
}
