// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

struct DeadLetterTests {
    @Test func keepsTheEventWithItsReason() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id, key: "key", bytes: 7))
        fixture.time.advance(.seconds(3))
        fixture.bury([2], of: id)
        let letters = try fixture.deadLetters()
        #expect(letters.count == 1)
        #expect(letters.first?.event.id == EventID(2))
        #expect(letters.first?.event.data == Payload([UInt8](repeating: 1, count: 7)))
        #expect(letters.first?.event.key == EventKey(partitionKey: "key"))
        #expect(letters.first?.code == "record_rejected")
        #expect(letters.first?.reason == "because")
        #expect(letters.first.map { $0.deadMS - $0.event.acceptedMS } == 3000)
        #expect(try fixture.ids(id) == [1, 3])
        #expect(fixture.totals.deadLettered == 1)
        #expect(fixture.totals.deadBytes == 7 + 3 + 64)
        #expect(fixture.totals.isBalanced)
    }

    @Test func whatIsGoneAlreadyIsNotCounted() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(2, to: id))
        fixture.settle([1], of: id)
        fixture.bury([1, 2, 2], of: id)
        fixture.settle([2], of: id)
        #expect(fixture.totals.deadLettered == 1)
        #expect(fixture.totals.delivered == 1)
        #expect(fixture.totals.isBalanced)
        #expect(fixture.recorder.commits.contains { $0.deadLettered.count == 3 })
    }

    @Test func requeueGivesANewIDAtTheTail() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.bury([1, 2], of: id)
        #expect(try fixture.requeue([1, 99]) == 1)
        #expect(try fixture.ids(id) == [3, 4])
        #expect(try fixture.scan(id).damaged.isEmpty)
        #expect(fixture.totals.accepted == 3)
        #expect(fixture.totals.deadLettered == 1)
        #expect(fixture.totals.deadEvents == 1)
        #expect(fixture.totals.isBalanced)
        #expect(
            fixture.recorder.commits.last { !$0.appended.isEmpty }?.appended.first?.events.map(\.id) == [EventID(4)]
        )
        #expect(try fixture.append(fixture.events(1, to: id)) == EventID(5))
    }

    @Test func purgeDeletesAndStaysCounted() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.bury([1, 2, 3], of: id)
        #expect(try fixture.purge([1, 3, 4]) == 2)
        #expect(try fixture.deadLetters().map(\.event.id.rawValue) == [2])
        #expect(fixture.totals.deadLettered == 3)
        #expect(fixture.totals.deadEvents == 1)
        #expect(fixture.totals.isBalanced)
        let one = try fixture.wait { fixture.queue.deadLetter(EventID(2), reply: $0) }
        #expect(one?.event.id == EventID(2))
        #expect(try fixture.wait { fixture.queue.deadLetter(EventID(1), reply: $0) } == nil)
    }

    @Test func beyondTheLimitTheOldestGo() throws {
        let fixture = try QueueFixture { $0.maxDeadLetters = 2 }
        let id = fixture.destination()
        try fixture.append(fixture.events(4, to: id))
        fixture.bury([1, 2, 3], of: id)
        #expect(try fixture.deadLetters().map(\.event.id.rawValue) == [2, 3])
        #expect(fixture.totals.deadLettered == 3)
        #expect(fixture.recorder.notices == [.deadLettersPurged(count: 1)])
        #expect(fixture.totals.isBalanced)
    }

    @Test func listsInPages() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        try fixture.append([a, b, a, b].flatMap { fixture.events(1, to: $0) })
        fixture.bury([1, 3], of: a)
        fixture.bury([2, 4], of: b)
        #expect(try fixture.deadLetters(after: 1, limit: 2).map(\.event.id.rawValue) == [2, 3])
        let ofB = try fixture.wait { fixture.queue.deadLetters(of: b, limit: 9, reply: $0) }
        #expect(ofB.map(\.event.id.rawValue) == [2, 4])
    }
}
