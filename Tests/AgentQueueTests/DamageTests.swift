// SPDX-License-Identifier: Apache-2.0
import AgentCore
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

    private func notice(_ fixture: QueueFixture) -> (aside: String, carried: Int64, lost: Int64)? {
        for case .damaged(let aside, _, let carried, let lost) in fixture.recorder.notices {
            return (aside, carried, lost)
        }
        return nil
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
        _ = totals
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
        let found = try #require(notice(fixture))
        let left = try fixture.ids(id)
        #expect(left.count > 200)
        #expect(left == left.sorted())
        #expect(left.last == 300)
        let now = fixture.totals
        #expect(now.lost == totals.queuedEvents - Int64(left.count))
        #expect(now.lost == found.lost)
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
}
