// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch
import Testing

@testable import AgentQueue

/// Other programs that use the queue file.
struct LockTests {
    private func other(_ fixture: QueueFixture) throws -> SQLiteConnection {
        try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
    }

    @Test func aLockOfAnotherIsNoFaultOfTheDisk() throws {
        let fixture = try QueueFixture { $0.lockAttempts = 2 }
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        let path = fixture.settings.path
        do {
            let other = try other(fixture)
            try other.execute("BEGIN IMMEDIATE")
            for _ in 0..<2 {
                guard case .locked(path, _) = fixture.refusal(fixture.events(2, to: id)) else {
                    Issue.record("not locked")
                    return
                }
            }
            // It can still be read, and what was delivered stays owed.
            #expect(try fixture.ids(id) == [1, 2, 3])
            fixture.settle([1], of: id)
            #expect(fixture.totals.delivered == 0)
            fixture.upkeep()
            try other.execute("COMMIT")
        }
        fixture.upkeep()
        #expect(fixture.totals.delivered == 1 && fixture.totals.refused == 4)
        #expect(try fixture.append(fixture.events(1, to: id)) == EventID(4))
        guard case .fileLocked(path, let holder) = fixture.recorder.notices.first else {
            Issue.record("\(fixture.recorder.notices)")
            return
        }
        #expect(!holder.isEmpty)
        #expect(fixture.recorder.notices.dropFirst() == [.fileUnlocked])
        #expect(fixture.totals.isBalanced)
    }

    @Test func nobodyIsNeededToFindOutThatALockIsGone() throws {
        let fixture = try QueueFixture { $0.lockAttempts = 1 }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        do {
            let other = try other(fixture)
            try other.execute("BEGIN IMMEDIATE")
            #expect(fixture.refusal(fixture.events(1, to: id)) != nil)
        }
        fixture.upkeep()
        #expect(fixture.recorder.notices.last == .fileUnlocked)
    }

    @Test func aLockThatGoesInTimeIsWaitedFor() throws {
        let fixture = try QueueFixture {
            $0.lockAttempts = 100
            // Reading does not look after that first, which the writer would have to do.
            $0.carriesOver = false
        }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        let request = fixture.request(fixture.events(1, to: id))
        let other = try other(fixture)
        try other.execute("BEGIN IMMEDIATE")
        fixture.queue.append([request])
        // Who waits is the writer, and nobody else.
        for _ in 0..<10 {
            #expect(try fixture.ids(id) == [1])
            #expect(fixture.totals.queuedEvents == 1)
        }
        try other.execute("COMMIT")
        fixture.drain()
        guard case .stored = fixture.recorder.answer(request.token) else {
            Issue.record("not stored")
            return
        }
        #expect(fixture.recorder.notices.isEmpty)
    }

    @Test func aStartUnderALockEndsAndSaysWhy() throws {
        let fixture = try QueueFixture()
        try fixture.append(fixture.events(1, to: fixture.destination()))
        fixture.queue.close()
        let other = try other(fixture)
        try other.execute("BEGIN IMMEDIATE")
        do {
            try fixture.reopen()
            Issue.record("it starts")
        } catch {
            guard case .busy(fixture.settings.path, _) = error as? QueueError else {
                Issue.record("\(error)")
                return
            }
            #expect("\(error)".contains("Another program"))
        }
        try other.execute("COMMIT")
        try fixture.reopen()
        #expect(fixture.totals.queuedEvents == 1)
    }

    @Test func aReaderThatPinsTheLogIsToldAndWhenItIsGone() throws {
        let fixture = try QueueFixture { $0.walFrames = 40 }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        func told() -> [QueueNotice] { fixture.recorder.notices }
        do {
            let other = try other(fixture)
            try other.execute("BEGIN; SELECT * FROM agent")
            for _ in 0..<20 { try fixture.append(fixture.events(10, to: id, bytes: 4000)) }
            guard case .logPinned(fixture.settings.path, let bytes, _) = told().first else {
                Issue.record("\(told())")
                return
            }
            #expect(bytes > 80 * 4096)
            #expect(told().count == 1)
        }
        fixture.upkeep()
        #expect(told().last == .logReleased && told().count == 2)
    }
}
