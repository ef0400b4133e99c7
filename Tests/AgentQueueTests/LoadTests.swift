// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Testing

@testable import AgentQueue

struct LoadTests {
    @Test func throughIsTheHighestIDOfAllWhereTheEndWasReached() throws {
        let fixture = try QueueFixture()
        let (a, b, none) = (fixture.destination("a"), fixture.destination("b"), fixture.destination("none"))
        try fixture.append(fixture.events(3, to: a))
        try fixture.append(fixture.events(2, to: b))
        #expect(try fixture.scan(a).through == EventID(5))
        #expect(try fixture.scan(a, after: 3).events.isEmpty)
        #expect(try fixture.scan(none).through == EventID(5))
    }

    @Test func limitsStopAScanAndThroughSaysWhere() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(10, to: id, bytes: 99))
        let byCount = try fixture.scan(id, after: 2, maxEvents: 3)
        #expect(byCount.events.map(\.id.rawValue) == [3, 4, 5])
        #expect(byCount.through == EventID(5))
        let byBytes = try fixture.scan(id, maxBytes: 250)
        #expect(byBytes.events.map(\.id.rawValue) == [1, 2])
        #expect(byBytes.through == EventID(2))
        #expect(try fixture.scan(id, maxBytes: 1).events.count == 1)
    }

    @Test func lanesAreFiltered() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let keys =
            ["a", "b", "c", "", "d"].map { EventKey(partitionKey: $0) } + [
                EventKey(partitionKey: "a", explicitHashKey: "0")
            ]
        try fixture.append(keys.map { NewEvent(destination: id, key: $0, data: .empty) })
        var lanes = LaneSet()
        lanes.insert(keys[1].lane)
        lanes.insert(0)
        #expect(try fixture.scan(id, skipping: lanes).events.map(\.id.rawValue) == [1, 3, 4, 5])
        #expect(try fixture.scan(id, only: lanes).events.map(\.id.rawValue) == [2, 6])
        var skipped = LaneSet()
        skipped.insert(0)
        #expect(try fixture.scan(id, skipping: skipped, only: lanes).events.map(\.id.rawValue) == [2])
        #expect(try fixture.scan(id, only: LaneSet()).through == EventID(6))
    }

    @Test func aScanLooksAtABoundedNumberOfRows() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(ReadConnection.rowsPerLoad + 10, to: id, bytes: 1))
        var lanes = LaneSet()
        lanes.insert(EventKey(partitionKey: "k").lane)
        let first = try fixture.scan(id, skipping: lanes)
        #expect(first.events.isEmpty)
        #expect(first.through == EventID(Int64(ReadConnection.rowsPerLoad)))
        #expect(try fixture.scan(id, after: first.through.rawValue, skipping: lanes).through > first.through)
    }

    @Test func findsEventsByID() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(6, to: id))
        fixture.settle([3], of: id)
        let wanted = [1, 3, 4, 9].map { EventID($0) }
        let request = LoadRequest(destination: id, what: .events(wanted), maxEvents: 10, maxBytes: 1000)
        let loaded = try fixture.load(request)
        #expect(loaded.events.map(\.id.rawValue) == [1, 4])
        #expect(loaded.through == .zero)
    }

    @Test func damagedRowsAreNamedAndNeverGiven() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.queue.close()
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READWRITE)
            try file.execute("UPDATE event_1 SET data = x'00' WHERE id = 2")
        }
        try fixture.reopen()
        let loaded = try fixture.scan(id)
        #expect(loaded.events.map(\.id.rawValue) == [1, 3])
        #expect(loaded.damaged == [EventID(2)])
    }

    @Test func peekGivesTheOldest() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(5, to: id))
        let events = try fixture.wait { fixture.queue.peek(id, limit: 2, reply: $0) }
        #expect(events.map(\.id.rawValue) == [1, 2])
    }
}
