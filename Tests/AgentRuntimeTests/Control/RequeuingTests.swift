// SPDX-License-Identifier: Apache-2.0
import AgentControl
import AgentCore
import AgentQueue
import FoundationEssentials
import Synchronization
import Testing

@testable import AgentRuntime

@Suite final class RequeuingTests {
    private let folder: String
    private let store: EventQueue

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-requeue-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try EventQueue.open(QueueSettings(path: folder + "/queue.db"))
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private final class Receiver: AppendReceiver {
        let first = Mutex<EventID?>(nil)

        func appended(_ answers: [AppendAnswer]) {
            for case .stored(let id) in answers.map(\.outcome) { first.withLock { $0 = id } }
        }

        func delivered(_ notices: [DeliveryNotice]) {}
    }

    /// So many events of a stream, all of them dead letters.
    private func deadLetters(_ count: Int, bytes: Int, of stream: String) async -> (DestinationID, [Int64]) {
        let id = store.destination(for: Destination(region: "us-east-1", stream: stream))
        let receiver = Receiver()
        let event = NewEvent(destination: id, key: .none, data: Payload([UInt8](repeating: 7, count: bytes)))
        store.append([AppendRequest(events: Array(repeating: event, count: count), token: 1, receiver: receiver)])
        var first: EventID?
        while first == nil {
            await Task.yield()
            first = receiver.first.withLock { $0 }
        }
        let ids = (0..<Int64(count)).map { (first ?? .zero).rawValue + $0 }
        let before = store.snapshot().totals.deadEvents
        store.deadLetter(ids.map { DeadLetter(destination: id, id: EventID($0), code: "poison", reason: "No.") })
        while store.snapshot().totals.deadEvents < before + Int64(count) { await Task.yield() }
        return (id, ids)
    }

    @Test func allOfAStreamComeBackThoughAPageIsCutForItsBytes() async throws {
        let (clicks, _) = await deadLetters(40, bytes: 700 << 10, of: "clicks")
        let (_, others) = await deadLetters(3, bytes: 10, of: "orders")
        let requeuing = Requeuing(store: store)
        let through = store.snapshot().lastID
        var (events, steps, after) = (0, 0, EventID.zero)
        while true {
            let step = try await requeuing.step(of: clicks, after: after, through: through)
            events += step.events
            steps += 1
            #expect(step.stoppedBecause == nil)
            guard let next = step.next else { break }
            #expect(next.through == through.rawValue)
            after = EventID(next.after)
        }
        #expect(events == 40)
        #expect(steps > 10, "no commit of 28 MiB")
        let totals = store.snapshot().totals
        #expect(totals.deadEvents == Int64(others.count) && totals.queuedEvents == 40)
    }

    @Test func lettersThatComeBackMeanwhileAreLeftAlone() async throws {
        let (clicks, _) = await deadLetters(5, bytes: 10, of: "clicks")
        let through = store.snapshot().lastID
        let (_, again) = await deadLetters(2, bytes: 10, of: "clicks")
        let step = try await Requeuing(store: store).step(of: clicks, after: .zero, through: through)
        #expect(step.events == 5 && step.bytes == 50)
        let end = try await Requeuing(store: store).step(
            of: clicks,
            after: EventID(step.next?.after ?? 0),
            through: through
        )
        #expect(end.events == 0 && end.next == nil)
        #expect(store.snapshot().totals.deadEvents == Int64(again.count))
    }

    @Test func idsAreFoundWhereverTheyAreAndOthersAreMissing() async throws {
        let (_, first) = await deadLetters(20, bytes: 700 << 10, of: "clicks")
        let (_, second) = await deadLetters(3, bytes: 10, of: "orders")
        let requeuing = Requeuing(store: store)
        let wanted = first + [second[1], second[1], second[2] + 1, 9_223_372_036_854_775_806]
        let counted = try await requeuing.step(wanted, dryRun: true)
        #expect(counted.events == 21 && counted.missing == 2)
        #expect(store.snapshot().totals.deadEvents == 23)
        let done = try await requeuing.step(wanted, dryRun: false)
        #expect(done.events == 21 && done.missing == 2 && done.bytes == 20 * (700 << 10) + 10)
        #expect(done.next == nil && done.stoppedBecause == nil)
        #expect(store.snapshot().totals.deadEvents == 2)
        #expect(try await requeuing.step(wanted, dryRun: false).missing == 23)
    }

    @Test func aQueueThatIsClosedIsAnError() async {
        let (_, ids) = await deadLetters(1, bytes: 10, of: "clicks")
        store.close()
        await #expect(throws: (any Error).self) { try await Requeuing(store: store).step(ids, dryRun: false) }
    }
}
