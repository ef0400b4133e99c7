// SPDX-License-Identifier: Apache-2.0
import AgentControl
import AgentCore
import AgentQueue
import FoundationEssentials
import Synchronization
import Testing

@testable import AgentRuntime

@Suite final class PurgingTests {
    private let folder: String
    private let store: EventQueue

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/agentd-purge-\(UInt64.random(in: 0 ... .max))"
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

    private func purging(olderThanMS: Int64 = 0, isDryRun: Bool = false) -> Purging {
        Purging(store: store, olderThanMS: olderThanMS, isDryRun: isDryRun)
    }

    /// All steps of it.
    private func purge(of id: DestinationID?, by purging: Purging) async throws -> (events: Int, steps: Int) {
        let through = store.snapshot().lastID
        var (events, steps, after) = (0, 0, EventID.zero)
        while true {
            let step = try await purging.step(of: id, after: after, through: through)
            events += step.events
            steps += 1
            guard let next = step.next else { return (events, steps) }
            after = EventID(next.after)
        }
    }

    @Test func thoseOfAStreamGoInShortCommitsAndStayCounted() async throws {
        let (clicks, _) = await deadLetters(20, bytes: 700 << 10, of: "clicks")
        _ = await deadLetters(3, bytes: 10, of: "orders")
        let done = try await purge(of: clicks, by: purging())
        #expect(done.events == 20)
        #expect(done.steps > 8, "no commit of 14 MiB")
        var totals = store.snapshot().totals
        #expect(totals.deadEvents == 3 && totals.deadLettered == 23 && totals.isBalanced)
        #expect(try await purge(of: nil, by: purging()).events == 3)
        totals = store.snapshot().totals
        #expect(totals.deadEvents == 0 && totals.deadBytes == 0 && totals.deadLettered == 23 && totals.isBalanced)
    }

    @Test func aDryRunDeletesNothing() async throws {
        _ = await deadLetters(5, bytes: 10, of: "clicks")
        #expect(try await purge(of: nil, by: purging(isDryRun: true)).events == 5)
        #expect(store.snapshot().totals.deadEvents == 5)
    }

    @Test func youngOnesStay() async throws {
        let (_, ids) = await deadLetters(300, bytes: 10, of: "clicks")
        let found = try await purge(of: nil, by: purging(olderThanMS: 3_600_000))
        #expect(found.events == 0 && found.steps == 3, "two pages that were looked at, and the end")
        #expect(try await purging(olderThanMS: 3_600_000).step(ids) == PurgeStep())
        #expect(store.snapshot().totals.deadEvents == 300)
    }

    @Test func thoseThatCameLaterStay() async throws {
        let (clicks, _) = await deadLetters(2, bytes: 10, of: "clicks")
        let through = store.snapshot().lastID
        _ = await deadLetters(1, bytes: 10, of: "clicks")
        #expect(try await purging().step(of: clicks, after: .zero, through: through).events == 2)
        #expect(store.snapshot().totals.deadEvents == 1)
    }

    @Test func idsAreFoundWhereverTheyAreAndOthersAreMissing() async throws {
        let (_, first) = await deadLetters(3, bytes: 700 << 10, of: "clicks")
        let (_, second) = await deadLetters(2, bytes: 10, of: "orders")
        let done = try await purging().step(first + [second[0], second[0], second[1] + 1])
        #expect(done.events == 4 && done.missing == 1 && done.bytes == 3 * (700 << 10) + 10 && done.next == nil)
        #expect(store.snapshot().totals.deadEvents == 1)
    }

    @Test func aQueueThatIsClosedIsAnError() async {
        let (_, ids) = await deadLetters(1, bytes: 10, of: "clicks")
        store.close()
        await #expect(throws: (any Error).self) { try await purging().step(ids) }
    }
}
