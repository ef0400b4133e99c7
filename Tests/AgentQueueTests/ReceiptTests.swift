// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

/// Requests with a key, which are kept once however often they come.
struct ReceiptTests {
    /// What became of a request, in words.
    private static func offer(
        _ fixture: QueueFixture,
        _ events: [NewEvent],
        _ identity: RequestIdentity?,
        waits: Bool = false
    ) -> String {
        let request = fixture.request(events, awaitsDelivery: waits, identity: identity)
        fixture.queue.append([request])
        fixture.drain()
        return switch fixture.recorder.answer(request.token) {
        case .stored(let first): "stored \(first.rawValue)"
        case .repeated(let first): "repeated \(first.rawValue)"
        case .refused(let refusal): refusal.code
        case nil: "unanswered"
        }
    }

    private static func identity(_ name: UInt64, _ content: UInt64 = 1) -> RequestIdentity {
        RequestIdentity(name: SIMD2(name, name &* 31), content: SIMD2(content, 0))
    }

    @Test func aRequestThatComesAgainIsKeptOnce() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let events = fixture.events(3, to: id)
        #expect(Self.offer(fixture, events, Self.identity(1)) == "stored 1")
        #expect(Self.offer(fixture, events, Self.identity(2)) == "stored 4")
        #expect(Self.offer(fixture, events, Self.identity(1)) == "repeated 1")
        #expect(Self.offer(fixture, events, nil) == "stored 7")
        try fixture.reopen()
        #expect(Self.offer(fixture, events, Self.identity(2)) == "repeated 4")
        #expect(try fixture.ids(id) == Array(1...9))
        #expect(fixture.queue.snapshot().streams[0].totals.accepted == 9)
        // Delivered, and known still.
        fixture.settle(Array(1...9), of: id)
        #expect(Self.offer(fixture, events, Self.identity(1)) == "repeated 1")
        #expect(try fixture.ids(id) == [])
    }

    @Test func repeatsInOneCommitAreSeen() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let requests = (0..<4).map { _ in fixture.request(fixture.events(2, to: id), identity: Self.identity(1)) }
        fixture.queue.append(requests)
        fixture.drain()
        let first = requests.map { request in
            switch fixture.recorder.answer(request.token) {
            case .stored(let first), .repeated(let first): first.rawValue
            default: Int64(-1)
            }
        }
        #expect(first == [1, 1, 1, 1])
        #expect(try fixture.ids(id) == [1, 2])
    }

    @Test func anotherRequestWithTheSameKeyIsRefused() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        #expect(Self.offer(fixture, fixture.events(1, to: id), Self.identity(1)) == "stored 1")
        #expect(Self.offer(fixture, fixture.events(1, to: id), Self.identity(1, 2)) == "idempotency_key_reused")
        #expect(Self.offer(fixture, fixture.events(2, to: id), Self.identity(1)) == "idempotency_key_reused")
        let totals = fixture.queue.snapshot().streams[0].totals
        #expect((totals.accepted, totals.refused) == (1, 3))
    }

    @Test func whatWasRefusedMayComeAgain() throws {
        let fixture = try QueueFixture { $0.maxBytes = 1000 }
        let id = fixture.destination()
        #expect(Self.offer(fixture, fixture.events(1, to: id, bytes: 800), Self.identity(1)) == "stored 1")
        #expect(Self.offer(fixture, fixture.events(1, to: id, bytes: 300), Self.identity(2)) == "queue_full")
        fixture.settle([1], of: id)
        #expect(Self.offer(fixture, fixture.events(1, to: id, bytes: 300), Self.identity(2)) == "stored 2")
    }

    @Test func afterTheWindowItIsANewRequest() throws {
        let fixture = try QueueFixture { $0.idempotencyWindowMS = 60_000 }
        let id = fixture.destination()
        let events = fixture.events(1, to: id)
        #expect(Self.offer(fixture, events, Self.identity(1)) == "stored 1")
        fixture.time.advance(.seconds(59))
        #expect(Self.offer(fixture, events, Self.identity(1)) == "repeated 1")
        fixture.time.advance(.seconds(1))
        #expect(Self.offer(fixture, events, Self.identity(1, 2)) == "stored 2")
        #expect(Self.offer(fixture, events, Self.identity(1, 2)) == "repeated 2")
    }

    @Test func namesThatAreNearlyAlikeAreNotTheSame() throws {
        let fixture = try QueueFixture()
        let events = fixture.events(1, to: fixture.destination())
        let (one, other) = (SIMD2<UInt64>(7, 1), SIMD2<UInt64>(7, 2))
        #expect(Self.offer(fixture, events, RequestIdentity(name: one, content: .one)) == "stored 1")
        #expect(Self.offer(fixture, events, RequestIdentity(name: other, content: .one)) == "stored 2")
        #expect(Self.offer(fixture, events, RequestIdentity(name: other, content: .one)) == "repeated 2")
    }

    @Test func whoWaitsAgainHearsWhatBecameOfEachEvent() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let events = fixture.events(3, to: id)
        #expect(Self.offer(fixture, events, Self.identity(1), waits: true) == "stored 1")
        fixture.settle([1], of: id)
        fixture.bury([2], of: id)
        #expect(Self.offer(fixture, events, Self.identity(1), waits: true) == "repeated 1")
        let told = fixture.recorder.deliveries
        #expect(told.map(\.id.rawValue) == [1, 2])
        guard case .delivered("1", "buffered") = told[0].outcome, case .deadLettered = told[1].outcome else {
            Issue.record("\(told)")
            return
        }
        // The third is in the queue, and still waited for.
        #expect(fixture.recorder.commits.last?.awaited.map(\.id.rawValue) == [3])
    }

    @Test func whatWasDroppedIsNotSaidToBeDelivered() throws {
        let fixture = try QueueFixture {
            $0.maxBytes = 1000
            $0.whenFull = .dropOldest
        }
        let id = fixture.destination()
        let events = fixture.events(1, to: id, bytes: 800)
        #expect(Self.offer(fixture, events, Self.identity(1), waits: true) == "stored 1")
        #expect(Self.offer(fixture, fixture.events(1, to: id, bytes: 700), nil) == "stored 2")
        #expect(Self.offer(fixture, events, Self.identity(1), waits: true) == "repeated 1")
        guard case .dropped? = fixture.recorder.deliveries.last?.outcome else {
            Issue.record("told otherwise")
            return
        }
    }

    @Test func theLatestAreKnownAndTheRestForgotten() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let event = fixture.events(1, to: id, bytes: 1)
        let count = UInt64(ReceiptTable.most) + 3000
        var last: [AppendRequest] = []
        for name in 1...count { last.append(fixture.request(event, identity: Self.identity(name))) }
        fixture.queue.append(last)
        fixture.drain()
        #expect(Self.offer(fixture, event, Self.identity(count - UInt64(ReceiptTable.most) + 1)).hasPrefix("repeated"))
        #expect(Self.offer(fixture, event, Self.identity(count)) == "repeated \(count)")
        #expect(Self.offer(fixture, event, Self.identity(1)).hasPrefix("stored"))
        fixture.queue.close()
        let file = try SQLiteConnection(path: fixture.settings.path, flags: 1)
        #expect(try file.integer("SELECT count(*) FROM receipt") < ReceiptTable.most + 1100)
    }

    @Test func aFileOfTheVersionBeforeIsBroughtUp() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        fixture.queue.close()
        do {
            let file = try SQLiteConnection(path: fixture.settings.path, flags: 2)
            try file.execute("DROP TABLE receipt; CREATE TABLE receipt (client TEXT); PRAGMA user_version = 2")
        }
        try fixture.reopen()
        #expect(try fixture.ids(id) == [1, 2])
        #expect(Self.offer(fixture, fixture.events(1, to: id), Self.identity(1)) == "stored 3")
        #expect(Self.offer(fixture, fixture.events(1, to: id), Self.identity(1)) == "repeated 3")
    }
}
