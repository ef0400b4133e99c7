// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Testing

@testable import AgentQueue

/// Bits that flip in the file while nobody looks.
struct RotTests {
    /// Nothing here is about syncs.
    private func unsynced() throws -> QueueFixture { try QueueFixture { $0.vfs = FaultVFS().name } }

    /// Ten events that differ in all their parts, in a closed queue.
    private func filled(_ fixture: QueueFixture) throws -> [NewEvent] {
        let id = fixture.destination()
        let events = (0..<10).map { index in
            NewEvent(
                destination: id,
                key: EventKey(partitionKey: "key-\(index)", explicitHashKey: "\(UInt64.max - UInt64(index))"),
                data: Payload("payload number \(index) of ten, as it was posted")
            )
        }
        try fixture.append(events)
        fixture.queue.close()
        return events
    }

    /// Flips one bit of a column of the row `id`.
    private func flip(_ column: String, of id: Int64, _ table: String, _ fixture: QueueFixture, seed: UInt64) throws {
        let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
        let select = try SQLiteStatement(file, "SELECT \(column) FROM \(table) WHERE id = \(id)")
        guard try select.step() else { throw Wrong("no row \(id)") }
        var bytes = [UInt8](select.bytes(0))
        select.reset()
        var random = SeededGenerator(seed: seed)
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        let hex = bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
        try file.execute("UPDATE \(table) SET \(column) = x'\(hex)' WHERE id = \(id)")
    }

    @Test(arguments: ["data", "key", "hash_key"], 1...8 as ClosedRange<UInt64>)
    func aFlippedBitIsNoticedWhenItIsReadAndNeverGiven(column: String, seed: UInt64) throws {
        let fixture = try unsynced()
        let events = try filled(fixture)
        let victim = Int64(seed % 10) + 1
        try flip(column, of: victim, "event_1", fixture, seed: seed)
        try fixture.reopen()
        let id = fixture.destination()
        let loaded = try fixture.scan(id)
        #expect(loaded.damaged == [EventID(victim)])
        #expect(loaded.events.map(\.id.rawValue) == (1...10).filter { $0 != victim })
        for event in loaded.events { #expect(event.data == events[Int(event.id.rawValue) - 1].data) }
        let byID = LoadRequest(
            destination: id,
            what: .events([EventID(victim)]),
            maxEvents: 10,
            maxBytes: 1000
        )
        #expect(try fixture.load(byID).damaged == [EventID(victim)])
        #expect(try fixture.load(byID).events.isEmpty)

        // Delivery gives it up under that name; what it was is kept for people to look at, and counted.
        fixture.queue.deadLetter([
            DeadLetter(destination: id, id: EventID(victim), code: "checksum", reason: "damaged")
        ])
        fixture.drain()
        #expect(try fixture.deadLetters().map(\.code) == ["checksum"])
        #expect(fixture.totals.deadLettered == 1)
        #expect(fixture.totals.queuedEvents == 9)
        #expect(fixture.totals.isBalanced)

        // Put back by hand, it is noticed again.
        #expect(try fixture.requeue([victim]) == 1)
        #expect(try fixture.scan(id).damaged == [EventID(11)])
    }

    @Test(arguments: ["data", "key", "hash_key"]) func whatRotsAmongTheDeadLettersIsNotSentAfterARequeue(column: String)
        throws
    {
        let fixture = try unsynced()
        _ = try filled(fixture)
        try fixture.reopen()
        let id = fixture.destination()
        fixture.bury([3, 4], of: id)
        fixture.queue.close()
        try flip(column, of: 3, "dead_letter", fixture, seed: 3)
        try fixture.reopen()
        #expect(try fixture.requeue([3, 4]) == 2)
        let loaded = try fixture.scan(id)
        #expect(loaded.damaged == [EventID(11)])
        #expect(loaded.events.last?.id == EventID(12))
    }

    /// A damaged page may show rows of NULLs, which the layout rules out.
    @Test func aRowOfNothingIsDamagedAndCanBeGivenUp() throws {
        let fixture = try unsynced()
        _ = try filled(fixture)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute(
                """
                PRAGMA writable_schema = ON;
                UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'event_1'
                """
            )
        }
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute(
                "UPDATE event_1 SET data = NULL, key = NULL, hash_key = NULL, crc = NULL, accepted_ms = NULL WHERE id = 5"
            )
        }
        try fixture.reopen()
        let id = fixture.destination()
        #expect(try fixture.scan(id).damaged == [EventID(5)])
        fixture.bury([5], of: id)
        #expect(try fixture.scan(id).damaged.isEmpty)
        #expect(fixture.totals.deadEvents == 1)
        #expect(try fixture.requeue([5]) == 1)
        #expect(try fixture.scan(id).damaged == [EventID(11)])
        #expect(fixture.totals.isBalanced)
    }

    /// A wrong time makes an event expire early or late, or look old.
    @Test(arguments: [Int64.min, -1, 0, 1 << 50, .max]) func aRottenTimeOfAcceptanceIsNoticed(time: Int64) throws {
        let fixture = try unsynced()
        _ = try filled(fixture)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("UPDATE event_1 SET accepted_ms = \(time) WHERE id = 1")
        }
        try fixture.reopen()
        let id = fixture.destination()
        #expect(try fixture.scan(id).damaged == [EventID(1)])
        #expect(fixture.queue.snapshot().totals.queuedEvents == 10)
        #expect(fixture.queue.snapshot().oldestAge ?? .zero >= .zero)
        fixture.upkeep()
        fixture.settle([1], of: id)
        #expect(fixture.totals.delivered == 1)
    }

    @Test(arguments: [
        "UPDATE agent SET next_id = 4", "UPDATE agent SET next_id = -9223372036854775807",
        "UPDATE total SET queued_bytes = queued_bytes + (1 << 50)", "UPDATE total SET queued_bytes = 3",
        "UPDATE total SET queued_events = 9223372036854775807", "UPDATE total SET accepted = -1",
        "UPDATE total SET delivered = 1", "UPDATE total SET dead_bytes = 1 << 40",
        "UPDATE total SET queued_events = 0, queued_bytes = 0, delivered = 10",
    ]) func rottenCountsAreRepairedFromTheRows(sql: String) throws {
        let fixture = try unsynced()
        let events = try filled(fixture)
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute(sql)
        }
        try fixture.reopen()
        let id = fixture.destination()
        #expect(try fixture.scan(id).events.map(\.data) == events.map(\.data))
        #expect(fixture.recorder.notices.contains { if case .damaged = $0 { true } else { false } })
        #expect(fixture.totals.isBalanced)
        #expect(fixture.totals.queuedEvents == 10)
        #expect(try fixture.append(fixture.events(1, to: id)) > EventID(10))
        fixture.settle(Array(1...10), of: id)
        #expect(fixture.totals.queuedBytes == 10 + 1 + 64)
    }

    /// Any bit of the whole file, headers, trees and free space included: what the queue gives is what was stored.
    @Test(arguments: Seeds.all) func whicheverBitFlipsNoEventIsGivenAltered(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5 {
            let fixture = try unsynced()
            let events = try filled(fixture)
            var bytes = try fileBytes(fixture.settings.path)
            // Mostly in the pages of events, which come last.
            let from = Bool.random(using: &random) ? bytes.count - 4096 : 0
            let place = Int.random(in: from..<bytes.count, using: &random)
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try writeFile(fixture.settings.path, bytes)
            do { try fixture.reopen() } catch { continue }
            let id = fixture.destination()
            guard let loaded = try? fixture.scan(id) else { continue }
            for event in loaded.events {
                let isWhole = events.contains { $0.data == event.data && $0.key == event.key }
                #expect(isWhole, "seed \(seed), byte \(place): event \(event.id)")
            }
            fixture.upkeep()
            _ = fixture.queue.snapshot()
        }
    }
}
