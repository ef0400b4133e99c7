// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch
import Testing

@testable import AgentQueue

/// Anything in any column of the file: whatever comes of it, it does not end the agent.
struct ColumnTests {
    static let values = [
        "-9223372036854775808", "9223372036854775807", "-1", "0", "1", "2", "7", "9007199254740993",
        "1152921504606846976",
        "4294967296", "-4294967297", "NULL", "'text'", "x''", "x'ff00fe'", "1e300", "-0.5", "'../../../etc/passwd'",
        "zeroblob(70000)", "'\u{1b}[2J'",
    ]

    /// Events queued and dead of two destinations, and, where asked for, rows that are to be carried over.
    private func filled(carrying: Bool) throws -> QueueFixture {
        let fixture = try QueueFixture {
            $0.vfs = FaultVFS().name
            $0.carriesOver = false
            $0.lockAttempts = 1
            $0.readPatience = .zero
        }
        for stream in ["a", "b"] { try fixture.append(fixture.events(8, to: fixture.destination(stream))) }
        fixture.settle([1], of: fixture.destination("a"))
        fixture.bury([2, 3], of: fixture.destination("a"))
        fixture.bury([9], of: fixture.destination("b"))
        if carrying {
            let writer = fixture.queue.writer
            writer.queue.sync {
                _ = writer.replaceDamagedFile(.damaged(operation: "test", message: "", code: SQLITE_CORRUPT))
            }
        }
        fixture.queue.close()
        return fixture
    }

    private func rot(_ fixture: QueueFixture, _ random: inout SeededGenerator) throws -> String {
        let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
        var columns: [(String, String)] = []
        do {
            let rows = try SQLiteStatement(
                file,
                "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'"
            )
            while try rows.step() { columns.append((rows.text(0), rows.text(1))) }
        }
        let (table, column) = columns.randomElement(using: &random) ?? ("agent", "id")
        let value = Self.values.randomElement(using: &random) ?? "0"
        let which = Bool.random(using: &random) ? "" : "WHERE rowid % 3 = \(Int.random(in: 0...2, using: &random))"
        // What the layout rules out, damage does not.
        try? file.execute("PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON")
        try? file.execute("UPDATE OR REPLACE \(table) SET \(column) = \(value) \(which)")
        return "\(table).\(column) = \(value) \(which)"
    }

    /// Everything that is done with a queue.
    private func use(_ fixture: QueueFixture) throws {
        var settings = fixture.settings
        settings.maxBytes = 1 << 20
        fixture.queue.reconfigure(settings)
        let ids = [fixture.destination("a"), fixture.destination("b")]
        fixture.carryAllOver()
        for id in ids + [DestinationID(99)] {
            for after in [0, -1, .min, .max] as [Int64] { _ = try? fixture.scan(id, after: after) }
            let named = [.min, -1, 0, 5, .max].map { EventID($0) }
            let byID = LoadRequest(destination: id, what: .events(named), maxEvents: 10, maxBytes: 10_000)
            _ = try? fixture.load(byID)
            _ = try? fixture.wait { fixture.queue.peek(id, limit: -1, reply: $0) }
        }
        for after in [0, .min, .max] as [Int64] { _ = try? fixture.deadLetters(after: after, limit: -1) }
        for id in [2, .min, .max] as [Int64] {
            _ = try? fixture.wait { fixture.queue.deadLetter(EventID(id), reply: $0) }
        }
        _ = try? fixture.append(ids.flatMap { fixture.events(2, to: $0) })
        fixture.settle([.min, -1, 0, 4, 10, .max], of: ids[0])
        fixture.settle([.min, 4, 10, .max], of: ids[1])
        fixture.bury([5, .max, .min], of: ids[0])
        _ = try? fixture.requeue([2, 9, .min, .max])
        for id in ids { _ = try? fixture.requeued(.all(of: id)) }
        _ = try? fixture.purge([3, .min, .max])
        try? fixture.setPaused(true, ids[0])
        fixture.time.advance(.seconds(3600))
        fixture.upkeep()
        _ = fixture.queue.snapshot()
        _ = fixture.queue.destinations()
    }

    @Test(arguments: Seeds.all) func whateverAColumnHoldsTheAgentGoesOn(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for round in 0..<12 {
            let fixture = try filled(carrying: round % 3 == 0)
            var changes: [String] = []
            for _ in 0..<Int.random(in: 1...3, using: &random) { changes.append(try rot(fixture, &random)) }
            do {
                try fixture.reopen()
                try use(fixture)
                try fixture.reopen()
                #expect(fixture.totals.isBalanced, "seed \(seed), round \(round): \(changes)")
                // It takes events, and gives them back.
                let id = fixture.destination("new")
                let stored = try fixture.append(fixture.events(2, to: id, bytes: 33))
                #expect(try fixture.scan(id).events.map(\.id.rawValue) == [stored.rawValue, stored.rawValue + 1])
            } catch {
                Issue.record("seed \(seed), round \(round): \(changes): \(error)")
            }
        }
    }

    @Test func aDeadLetterOfNoDestinationStaysWhereItIs() throws {
        let fixture = try filled(carrying: false)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("UPDATE dead_letter SET destination = 77 WHERE id = 2")
        }
        try fixture.reopen()
        #expect(try fixture.requeue([2, 3]) == 1)
        #expect(try fixture.deadLetters().map(\.event.id.rawValue) == [2, 9])
    }

    /// It would be sent to another stream.
    @Test func aDeadLetterThatSaysItIsAnothersIsNotSent() throws {
        let fixture = try filled(carrying: false)
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("UPDATE dead_letter SET destination = \(b) WHERE id = 2")
        }
        try fixture.reopen()
        #expect(try fixture.requeue([2]) == 1)
        #expect(try fixture.scan(b).damaged.count == 1)
        #expect(try fixture.scan(b).events.count == 7)
        #expect(try fixture.scan(a).events.count == 5)
    }

    @Test func anIDThatRottedIsNoticed() throws {
        let fixture = try filled(carrying: false)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            // One that was delivered.
            try file.execute("UPDATE event_1 SET id = 1 WHERE id = 8")
        }
        try fixture.reopen()
        #expect(try fixture.scan(fixture.destination("a")).damaged == [EventID(1)])
    }

    @Test func rowsOfTheFirstVersionAreReadAsTheyAre() throws {
        let fixture = try filled(carrying: false)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("PRAGMA user_version = 1")
            for table in ["event_1", "event_2", "dead_letter"] {
                let rows = try SQLiteStatement(file, "SELECT id, key, hash_key, data FROM \(table)")
                var sums: [(Int64, Int64)] = []
                while try rows.step() {
                    let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(3))
                    sums.append((rows.integer(0), row.checksum))
                }
                for (id, sum) in sums { try file.execute("UPDATE \(table) SET crc = \(sum) WHERE id = \(id)") }
            }
        }
        let size = FileIdentity(fixture.settings.path)?.size
        try fixture.reopen()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        #expect(try fixture.scan(a).damaged.isEmpty && fixture.scan(b).damaged.isEmpty)
        #expect(try fixture.ids(a) == [4, 5, 6, 7, 8])
        #expect(try fixture.requeue([2, 9]) == 2)
        try fixture.append(fixture.events(1, to: a))
        fixture.bury([4], of: a)
        #expect(try fixture.requeue([4]) == 1)
        #expect(try fixture.scan(a).damaged.isEmpty && fixture.scan(b).damaged.isEmpty)
        // One bit of an old row is noticed still.
        fixture.queue.close()
        #expect(FileIdentity(fixture.settings.path)?.size == size)
        let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
        try file.execute("UPDATE event_1 SET data = x'00' WHERE id = 5")
        #expect(try file.integer("PRAGMA user_version") == 3)
        try fixture.reopen()
        #expect(try fixture.scan(a).damaged == [EventID(5)])
    }
}
