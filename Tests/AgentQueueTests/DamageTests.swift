// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch
import Glibc
import Testing

@testable import AgentQueue

struct DamageTests {
    /// A closed queue with 300 events, of which 10 are delivered and 5 are dead.
    private func filled(_ folder: TemporaryFolder, _ time: ManualTime) throws -> (String, QueueTotals) {
        let fixture = try QueueFixture(folder: folder, time: time)
        let id = fixture.destination()
        for _ in 0..<30 { try fixture.append(fixture.events(10, to: id, bytes: 900)) }
        fixture.settle(Array(1...10), of: id)
        fixture.bury(Array(11...15), of: id)
        let totals = fixture.totals
        fixture.queue.close()
        return (fixture.settings.path, totals)
    }

    private func notice(_ fixture: QueueFixture) -> (aside: String, pending: Int64, lost: Int64)? {
        for case .damaged(let aside, _, let pending, let lost) in fixture.recorder.notices {
            return (aside, pending, lost)
        }
        return nil
    }

    /// Waits until all is carried over, and tells what was said of it.
    @discardableResult
    private func carryAllOver(_ fixture: QueueFixture) -> (carried: Int64, lost: Int64)? {
        fixture.carryAllOver()
        for case .carriedOver(_, let carried, let lost) in fixture.recorder.notices { return (carried, lost) }
        return nil
    }

    /// What a power cut would leave, damaged files and all.
    private func crashed(_ fixture: QueueFixture) throws -> QueueFixture {
        let copy = TemporaryFolder()
        for name in fixture.folder.names() where !name.hasSuffix("-shm") && !name.hasSuffix(".lock") {
            try copyFile("\(fixture.folder.path)/\(name)", "\(copy.path)/\(name)")
        }
        return try QueueFixture(folder: copy, time: fixture.time) {
            $0.carryRows = fixture.settings.carryRows
            $0.carriesOver = fixture.settings.carriesOver
        }
    }

    private func overwrite(_ path: String, page: Int, with byte: UInt8 = 0xff, count: Int = 1) {
        let descriptor = open(path, O_WRONLY)
        defer { close(descriptor) }
        let garbage = [UInt8](repeating: byte, count: 4096 * count)
        pwrite(descriptor, garbage, garbage.count, off_t(page * 4096))
    }

    @Test(arguments: ["zeroed", "garbage", "short", "empty with a WAL"])
    func whatIsNoDatabaseIsMovedAside(kind: String) throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (path, _) = try filled(folder, time)
        let size = try fileBytes(path).count
        switch kind {
        case "zeroed": try writeFile(path, [UInt8](repeating: 0, count: size))
        case "garbage":
            var random = SeededGenerator(seed: 1)
            try writeFile(path, (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
        case "short": try writeFile(path, Array(try fileBytes(path).prefix(50)))
        default:
            try writeFile(path, [])
            try writeFile(path + "-wal", [1, 2, 3])
        }
        let before = try fileBytes(path)
        let fixture = try QueueFixture(folder: folder, time: time)
        carryAllOver(fixture)
        let found = try #require(notice(fixture))
        #expect(try fileBytes(found.aside) == before)
        #expect(found.aside.hasPrefix(path + ".damaged-20270115T"))
        #expect(try fixture.append(fixture.events(1, to: fixture.destination())) > EventID(300))
        #expect(fixture.totals.isBalanced)
    }

    @Test func aTruncatedFileGivesWhatItHas() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (path, totals) = try filled(folder, time)
        let bytes = try fileBytes(path)
        try writeFile(path, Array(bytes.prefix(bytes.count / 2 & ~4095)))
        let fixture = try QueueFixture(folder: folder, time: time)
        #expect(notice(fixture) != nil)
        #expect(fixture.totals.isBalanced)
        #expect(try fixture.append(fixture.events(1, to: fixture.destination())) > EventID(300))
        let told = try #require(carryAllOver(fixture))
        #expect(told.carried > 100 && told.lost > 0, "\(told)")
        #expect(fixture.totals.isBalanced)
        #expect(fixture.totals.accepted == totals.accepted + 1)
        #expect(fixture.totals.lost == told.lost)
    }

    @Test func aDamagedPageCostsItsRowsOnly() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (path, totals) = try filled(folder, time)
        var bytes = try fileBytes(path)
        let middle = bytes.count / 4096 / 2 * 4096
        for index in middle..<middle + 4096 { bytes[index] = 0xff }
        try writeFile(path, bytes)
        let fixture = try QueueFixture(folder: folder, time: time)
        let id = fixture.destination()
        // Opening looks at the ends only: the damage is met when it is read.
        if notice(fixture) == nil {
            #expect(throws: QueueError.self) { try fixture.ids(id) }
            fixture.drain()
        }
        #expect(notice(fixture) != nil)
        let told = try #require(carryAllOver(fixture))
        let left = try fixture.ids(id)
        #expect(left.count > 270)
        #expect(left == left.sorted())
        #expect(left.last == 300)
        let now = fixture.totals
        #expect(now.lost == totals.queuedEvents - Int64(left.count))
        #expect(now.lost == told.lost)
        #expect(now.accepted == totals.accepted)
        #expect(now.delivered == 10)
        #expect(now.deadEvents == 5)
        #expect(now.isBalanced)
        #expect(try fixture.append(fixture.events(1, to: id)) == EventID(301))
        #expect(try fixture.deadLetters().count == 5)
        try fixture.reopen()
        #expect(fixture.totals.lost == now.lost)
    }

    @Test func damageUnderTheWriterIsRepairedAndTheAppendStored() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (path, _) = try filled(folder, time)
        let fixture = try QueueFixture(folder: folder, time: time)
        let id = fixture.destination()
        let pages = try fileBytes(path).count / 4096
        let descriptor = open(path, O_WRONLY)
        let garbage = [UInt8](repeating: 0xff, count: 4096)
        // All leaves between the ends; closing this descriptor drops SQLite's locks, which nobody contends for.
        for page in 12..<pages - 6 { pwrite(descriptor, garbage, 4096, off_t(page * 4096)) }
        close(descriptor)
        fixture.settle(Array(16...290), of: id)
        fixture.upkeep()
        #expect(notice(fixture) != nil)
        #expect(fixture.totals.isBalanced)
        #expect(try fixture.append(fixture.events(1, to: id)).rawValue >= 301)
        carryAllOver(fixture)
        #expect(fixture.totals.isBalanced)
        #expect(try fixture.ids(id).last ?? 0 >= 301)
    }

    @Test func aRepairThatWasInterruptedIsFinished() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (path, totals) = try filled(folder, time)
        rename(path, path + ".salvage")
        try writeFile(path + "-wal", [9, 9, 9])
        let fixture = try QueueFixture(folder: folder, time: time)
        #expect(fixture.totals == totals)
        try writeFile(path + ".salvage", [1])
        try fixture.reopen()
        #expect(!folder.names().contains("queue.db.salvage"))
        #expect(fixture.totals == totals)
    }

    // MARK: Carrying over

    @Test func pagesScrambledHereAndThereCostTheirRowsOnly() throws {
        for seed in 1...20 {
            let (folder, time) = (TemporaryFolder(), ManualTime())
            let (path, totals) = try filled(folder, time)
            var random = SeededGenerator(seed: UInt64(seed))
            let pages = Int((FileIdentity(path)?.size ?? 0) / 4096)
            let root = try SQLiteConnection(path: path, flags: SQLITE_OPEN_READWRITE)
                .integer("SELECT rootpage FROM sqlite_schema WHERE name = 'event_1'")
            // Without its root, nothing of the table can be found.
            for _ in 0..<6 { overwrite(path, page: .random(in: Int(root)..<pages, using: &random), with: 0xa5) }
            let fixture = try QueueFixture(folder: folder, time: time)
            let id = fixture.destination()
            if notice(fixture) == nil {
                _ = try? fixture.ids(id)
                fixture.drain()
            }
            carryAllOver(fixture)
            let left = try fixture.ids(id)
            // A page holds four rows.
            #expect(left.count >= 285 - 6 * 5, "seed \(seed)")
            #expect(left == left.sorted() && Set(left).count == left.count)
            #expect(fixture.totals.isBalanced)
            #expect(fixture.totals.accepted == totals.accepted)
            #expect(fixture.totals.queuedEvents == Int64(left.count), "seed \(seed)")
        }
    }

    @Test func intakeIsOpenAndDeliveryWaitsWhileRowsAreCarriedOver() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (_, totals) = try filled(folder, time)
        let fixture = try QueueFixture(folder: folder, time: time) { $0.carriesOver = false }
        let (id, other) = (fixture.destination(), fixture.destination("other"))
        let writer = fixture.queue.writer
        writer.queue.sync {
            #expect(writer.replaceDamagedFile(.damaged(operation: "test", message: "", code: SQLITE_CORRUPT)))
            // Nothing was carried over yet: this is the writer's own queue.
            _ = writer.mailbox.add { $0.requests += [fixture.request(fixture.events(1, to: id))] }
            _ = writer.mailbox.add { $0.requests += [fixture.request(fixture.events(1, to: other))] }
            writer.drainAll()
            #expect(fixture.totals.accepted == totals.accepted + 2)
            #expect(fixture.totals.queuedEvents == totals.queuedEvents + 2)
            #expect(fixture.totals.isBalanced)
            #expect(throws: QueueError.self) { try fixture.ids(id) }
            #expect((try? fixture.ids(other)) == [302])
            // What was read before the damage is delivered: it is deleted when it is there.
            _ = writer.mailbox.add {
                $0.settlements += [Settlement(destination: id, ids: [16, 17, 301].map { EventID($0) })]
            }
            writer.drainAll()
            #expect(fixture.totals.delivered == totals.delivered + 1)
        }
        writer.queue.sync {
            while !writer.ledger.carryOvers.isEmpty { writer.carryOver() }
        }
        fixture.drain()
        #expect(try fixture.ids(id) == Array(18...300))
        #expect(fixture.totals.delivered == totals.delivered + 3)
        #expect(fixture.totals.lost == 0 && fixture.totals.isBalanced)
        #expect(try fixture.deadLetters().count == 5)
        let settled = fixture.recorder.commits.flatMap(\.settled).flatMap(\.ids).map(\.rawValue)
        #expect(settled.sorted() == Array(1...10) + [16, 17, 301] || settled.sorted() == [16, 17, 301])
    }

    @Test func aCrashAtAnyPointOfCarryingOverRepeatsAndLosesNothing() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (_, totals) = try filled(folder, time)
        var fixture = try QueueFixture(folder: folder, time: time) {
            $0.carryRows = 7
            $0.carriesOver = false
        }
        let id = fixture.destination()
        let writer = fixture.queue.writer
        writer.queue.sync {
            _ = writer.replaceDamagedFile(.damaged(operation: "test", message: "", code: SQLITE_CORRUPT))
        }
        var crashes = 0
        while true {
            let now = fixture.queue.writer
            let isDone = now.queue.sync { now.ledger.carryOvers.isEmpty }
            #expect(fixture.totals.isBalanced)
            #expect(fixture.totals.queuedEvents == totals.queuedEvents)
            if isDone { break }
            now.queue.sync { now.carryOver() }
            // All files as they are, the damaged one with them.
            fixture = try now.queue.sync { try crashed(fixture) }
            crashes += 1
            guard crashes < 200 else {
                Issue.record("it does not get on")
                break
            }
        }
        #expect(crashes > 40)
        #expect(try fixture.ids(id) == Array(16...300))
        #expect(try fixture.deadLetters().map(\.event.id.rawValue) == Array(11...15))
        #expect(fixture.totals.lost == 0)
    }

    @Test func aDamagedFileThatIsTakenAwayCostsWhatWasStillInIt() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (_, totals) = try filled(folder, time)
        let fixture = try QueueFixture(folder: folder, time: time)
        let id = fixture.destination()
        let writer = fixture.queue.writer
        writer.queue.sync {
            _ = writer.replaceDamagedFile(.damaged(operation: "test", message: "", code: SQLITE_CORRUPT))
            for name in folder.names() where name.contains("damaged") { unlink("\(folder.path)/\(name)") }
        }
        carryAllOver(fixture)
        #expect(try fixture.ids(id) == [])
        #expect(fixture.totals.lost == totals.queuedEvents + totals.deadEvents)
        #expect(fixture.totals.isBalanced)
    }

    @Test func damageInTheMiddleOfCarryingOverTakesFromBothFiles() throws {
        let (folder, time) = (TemporaryFolder(), ManualTime())
        let (_, totals) = try filled(folder, time)
        let fixture = try QueueFixture(folder: folder, time: time) {
            $0.carryRows = 20
            $0.carriesOver = false
        }
        let id = fixture.destination()
        let writer = fixture.queue.writer
        let damage = QueueError.damaged(operation: "test", message: "", code: SQLITE_CORRUPT)
        writer.queue.sync { _ = writer.replaceDamagedFile(damage) }
        try fixture.append(fixture.events(3, to: id))
        writer.queue.sync {
            for _ in 0..<3 { writer.carryOver() }
            _ = writer.replaceDamagedFile(damage)
            #expect(Set(writer.ledger.carryOvers.map(\.source)).count == 2)
            while !writer.ledger.carryOvers.isEmpty { writer.carryOver() }
        }
        #expect(try fixture.ids(id) == Array(16...303))
        #expect(fixture.totals.lost == 0 && fixture.totals.isBalanced)
        #expect(fixture.totals.accepted == totals.accepted + 3)
    }

    @Test(arguments: [true, false]) func aWALWithoutItsFileGivesWhatItHas(isEmpty: Bool) throws {
        let (folder, time, copy) = (TemporaryFolder(), ManualTime(), TemporaryFolder())
        let fixture = try QueueFixture(folder: folder, time: time)
        try fixture.append(fixture.events(10, to: fixture.destination()))
        try copyFile("\(folder.path)/queue.db-wal", "\(copy.path)/queue.db-wal")
        try writeLock(copy)
        if isEmpty { try writeFile("\(copy.path)/queue.db", []) }
        let other = try QueueFixture(folder: copy, time: time)
        #expect(notice(other) != nil)
        #expect(copy.names().contains { $0.contains("damaged") && $0.hasSuffix("-wal") })
        #expect(try other.append(other.events(1, to: other.destination())) > EventID(10))
        // As much as was written since the file was made: here, what is not there counts as lost.
        let left = try other.ids(other.destination())
        #expect(left.count == 11 || left.count == 1)
        #expect(other.totals.isBalanced)
    }

    /// Its sender was told that nobody knows, so it need not be there; others must not wait for it.
    @Test func anUndecidedCommitInADamagedFileIsLeftOut() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id))
        vfs.fail(.sync)
        vfs.fail(.open, times: .max)
        guard case .unknown = fixture.refusal(fixture.events(3, to: id)) else {
            Issue.record("not unknown")
            return
        }
        vfs.lift()
        let writer = fixture.queue.writer
        writer.queue.sync {
            writer.machine.reopenFailed(.damaged(operation: "test", message: "", code: SQLITE_CORRUPT))
            writer.retry()
            let isDecided = writer.machine.undecided == nil
            #expect(isDecided)
        }
        let new = try fixture.append(fixture.events(1, to: id)).rawValue
        #expect(try fixture.ids(id) == Array(1...5) + [new])
        // All that is in the file is known to delivery.
        let told = fixture.recorder.commits.flatMap(\.appended).flatMap(\.events).map(\.id.rawValue)
        #expect(told == Array(1...5) + [new])
        #expect(fixture.totals.accepted == 6 && fixture.totals.lost == 0 && fixture.totals.isBalanced)
    }

    // MARK: The WAL

    /// A queue with ten commits in its WAL, as a crash leaves it, after a change of the WAL.
    private func reopened(_ change: (inout [UInt8]) -> Void) throws -> QueueFixture {
        let fixture = try QueueFixture { $0.vfs = FaultVFS().name }
        for _ in 0..<10 { try fixture.append(fixture.events(1, to: fixture.destination(), bytes: 3000)) }
        let copy = TemporaryFolder()
        try copyFile("\(fixture.folder.path)/queue.db", "\(copy.path)/queue.db")
        var log = try fileBytes("\(fixture.folder.path)/queue.db-wal")
        change(&log)
        try writeFile("\(copy.path)/queue.db-wal", log)
        return try QueueFixture(folder: copy)
    }

    @Test func aWholeOrTornWALIsNoDamage() throws {
        for cut in [0, 1, 1000, 4120, 4120 * 5 + 17] {
            let fixture = try reopened { $0.removeLast(min(cut, $0.count)) }
            #expect(fixture.recorder.notices.isEmpty, "\(cut)")
            let left = try fixture.ids(fixture.destination())
            #expect(left.count >= 5 && left == Array(1...Int64(left.count)))
        }
    }

    @Test(arguments: [0, 5, 12, 20, 30]) func aDamagedHeadOfTheWALIsDamage(byte: Int) throws {
        let fixture = try reopened { $0[byte] ^= 0x10 }
        #expect(notice(fixture) != nil)
        #expect(try fixture.append(fixture.events(1, to: fixture.destination())) > EventID(1_000_000))
        #expect(fixture.folder.names().contains { $0.contains("damaged") && $0.hasSuffix("-wal") })
    }
}
