// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch
import Testing

@testable import AgentQueue

struct CommitFailureTests {
    @Test func aSyncThatFailsIsAnsweredByWhatTheFileHolds() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        vfs.fail(.sync)
        // The frames were written before the sync failed: opened again, the file has them.
        #expect(fixture.refusal(fixture.events(3, to: id)) == nil)
        let stored = try fixture.ids(id)
        #expect(stored == [1, 2, 3, 4, 5])
        #expect(fixture.recorder.commits.flatMap(\.appended).flatMap(\.events).map(\.id.rawValue) == stored)
        #expect(fixture.recorder.notices.contains(.reopened))
        let copy = try fixture.crashed()
        #expect(try copy.ids(id) == stored)
        #expect(copy.totals == fixture.totals)
        #expect(fixture.totals.isBalanced)
        #expect(try fixture.append(fixture.events(1, to: id)) > EventID(stored.last ?? 0))
    }

    @Test func aFileThatCannotBeOpenedAgainAnswersUnknown() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        vfs.fail(.sync)
        vfs.fail(.open, times: .max)
        guard case .unknown = fixture.refusal(fixture.events(3, to: id)) else {
            Issue.record("not unknown")
            return
        }
        #expect(fixture.queue.snapshot().unavailable != nil)
        guard case .storage = fixture.refusal(fixture.events(1, to: id)) else {
            Issue.record("not storage")
            return
        }
        #expect(throws: QueueError.self) { try fixture.ids(id) }
        fixture.settle([1], of: id)
        vfs.lift()
        let writer = fixture.queue.writer
        writer.queue.sync { writer.retry() }
        let stored = try fixture.ids(id)
        #expect(stored == [2] || stored == [2, 3, 4, 5])
        #expect(fixture.recorder.commits.flatMap(\.appended).flatMap(\.events).count == stored.count + 1)
        #expect(fixture.totals.delivered == 1)
        #expect(fixture.totals.isBalanced)
        #expect(fixture.queue.snapshot().unavailable == nil)
    }

    @Test func aWriteThatFailsRefusesAndTheQueueGoesOn() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        vfs.fail(.write)
        guard case .storage = fixture.refusal(fixture.events(3, to: id)) else {
            Issue.record("not storage")
            return
        }
        #expect(try fixture.append(fixture.events(1, to: id)) == EventID(3))
        #expect(try fixture.ids(id) == [1, 2, 3])
        #expect(fixture.totals.isBalanced)
    }

    @Test func settlementsOfAFailedCommitAreDoneAgain() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        vfs.fail(.write)
        fixture.settle([1, 2], of: id)
        fixture.upkeep()
        #expect(try fixture.ids(id) == [3])
        #expect(fixture.totals.delivered == 2)
        #expect(fixture.recorder.commits.flatMap(\.settled).count == 1)
    }

    /// After a failed sync the system takes what it could not write for clean. Whatever is built on it would be gone
    /// after a power cut, or mixed with older pages.
    @Test(arguments: 0..<20 as Range<UInt64>) func whatAFailedSyncLeftOutIsWrittenAgain(seed: UInt64) throws {
        let vfs = FaultVFS(seed: seed)
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id, bytes: 3000))
        fixture.settle([1, 2], of: id)
        vfs.fail(.sync)
        try fixture.append(fixture.events(3, to: id))
        try fixture.append(fixture.events(1, to: id))
        let folder = TemporaryFolder()
        for (name, bytes) in vfs.survivors(seed: seed) { try writeFile("\(folder.path)/\(name)", bytes) }
        try writeLock(folder)
        let left = try QueueFixture(folder: folder) { $0.vfs = FaultVFS().name }
        #expect(try left.ids(left.destination()) == [3, 4, 5, 6, 7, 8, 9])
        #expect(left.totals == fixture.totals)
    }

    @Test func aCommitThatWasNotStoredIsNotTakenForALaterOne() throws {
        let vfs = FaultVFS(seed: 3)
        let fixture = try QueueFixture {
            $0.vfs = vfs.name
            $0.walFrames = 1000
        }
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        vfs.set { $0.failedSyncForgets = true }
        var refused = 0
        for _ in 0..<20 where refused == 0 {
            vfs.fail(.sync)
            if fixture.refusal(fixture.events(1, to: id)) != nil { refused += 1 }
        }
        #expect(refused == 1)
        // This one gets its serial, and is in the file when it is opened the next time.
        let first = try fixture.append(fixture.events(1, to: id))
        vfs.fail(.write)
        #expect(fixture.refusal(fixture.events(1, to: id)) != nil)
        let stored = try fixture.ids(id)
        #expect(stored.last == first.rawValue)
        #expect(fixture.recorder.commits.flatMap(\.appended).flatMap(\.events).map(\.id.rawValue) == stored)
    }

    @Test func settlementsThatWentWithTheCacheAreDoneAgain() throws {
        let vfs = FaultVFS(seed: 1)
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id))
        vfs.set { $0.failedSyncForgets = true }
        for event in 1...4 as ClosedRange<Int64> {
            fixture.settle([event], of: id)
            vfs.fail(.sync)
            fixture.upkeep()
            fixture.upkeep()
            #expect(try fixture.ids(id).first == event + 1)
        }
        #expect(fixture.totals.delivered == 4)
        #expect(fixture.totals.isBalanced)
    }
}
