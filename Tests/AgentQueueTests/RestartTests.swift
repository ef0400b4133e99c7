// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc
import Testing

@testable import AgentQueue

struct RestartTests {
    @Test func whatWasAnsweredSurvivesACrash() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id))
        fixture.settle([1, 2], of: id)
        fixture.bury([3], of: id)
        let copy = try fixture.crashed()
        #expect(try copy.ids(id) == [4, 5])
        #expect(copy.totals == fixture.totals)
        #expect(copy.totals.isBalanced)
        #expect(try copy.append(copy.events(1, to: id)) == EventID(6))
    }

    @Test func idsAreNotUsedTwiceAfterAllIsDelivered() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id))
        fixture.settle([1, 2, 3, 4, 5], of: id)
        try fixture.reopen()
        #expect(try fixture.append(fixture.events(1, to: id)) == EventID(6))
        #expect(fixture.totals.delivered == 5)
    }

    @Test func tellsWhatTheFileHeld() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        let unused = fixture.destination("unused")
        try fixture.append(fixture.events(3, to: a, bytes: 100))
        try fixture.append(fixture.events(1, to: b))
        try fixture.setPaused(true, b)
        fixture.settle([1], of: a)
        fixture.settle([4], of: b)
        try fixture.reopen()
        let found = fixture.queue.destinations()
        #expect(found.map(\.destination.stream) == ["a", "b"])
        #expect(found.map(\.id) == [a, b])
        #expect(found.map(\.isPaused) == [false, true])
        #expect(found.map(\.queuedEvents) == [2, 0])
        #expect(found.map(\.queuedBytes) == [2 * (100 + 1 + 64), 0])
        #expect(found.map(\.first) == [EventID(2), .zero])
        #expect(found.map(\.last) == [EventID(3), .zero])
        #expect(fixture.destination("a") == a)
        #expect(fixture.destination("new") == unused)
    }

    @Test func theFileIsPrivateAndSaysWhatItIs() throws {
        let fixture = try QueueFixture()
        try fixture.append(fixture.events(1, to: fixture.destination()))
        for name in ["queue.db", "queue.db-wal", "queue.db.lock"] {
            var status = stat()
            #expect(stat("\(fixture.folder.path)/\(name)", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
        let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READONLY)
        #expect(try file.integer("PRAGMA application_id") == 0x4167_6e74)
        #expect(try file.integer("PRAGMA user_version") == 3)
        #expect(try file.integer("PRAGMA auto_vacuum") == 2)
        #expect(try file.text("PRAGMA journal_mode") == "wal")
        #expect(try file.text("PRAGMA integrity_check") == "ok")
        let tables = try file.text(
            "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)"
        )
        #expect(tables == "agent,dead_letter,destination,event_1,receipt,total")
    }

    @Test func secondAgentIsTurnedAway() throws {
        let fixture = try QueueFixture()
        #expect(throws: QueueError.locked(path: fixture.settings.path)) { try EventQueue.open(fixture.settings) }
    }

    @Test func newerSchemaIsRefusedAndLeftAlone() throws {
        let fixture = try QueueFixture()
        fixture.queue.close()
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("PRAGMA user_version = 4")
        }
        #expect(throws: QueueError.newerSchema(path: fixture.settings.path, found: 4, known: 3)) {
            try EventQueue.open(fixture.settings)
        }
    }

    @Test func aCopyIsLookedAtWithoutTouchingTheOriginal() throws {
        let (fixture, folder) = (try QueueFixture(), TemporaryFolder())
        try fixture.append(fixture.events(3, to: fixture.destination()))
        #expect(throws: QueueError.locked(path: fixture.settings.path)) {
            try OfflineQueue(copying: fixture.settings.path, in: folder.path)
        }
        let crashed = TemporaryFolder()
        let path = crashed.path + "/queue.db"
        for suffix in ["", "-wal"] { try copyFile(fixture.settings.path + suffix, path + suffix) }
        let bytes = try fileBytes(path + "-wal")
        let copy = try OfflineQueue(copying: path, in: folder.path)
        #expect(try copy.streams().map(\.totals.queuedEvents) == [3])
        #expect(try copy.check().isSound)
        #expect(try fileBytes(path + "-wal") == bytes)
    }

    @Test func closingLeavesNoWAL() throws {
        let fixture = try QueueFixture()
        try fixture.append(fixture.events(1, to: fixture.destination()))
        fixture.queue.close()
        #expect(fixture.folder.names() == ["queue.db", "queue.db.lock"])
    }
}
