// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Synchronization
import Testing

@testable import AgentQueue

struct AppendTests {
    @Test func idsAreConsecutiveOverDestinations() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        #expect(try fixture.append(fixture.events(2, to: a)) == EventID(1))
        #expect(try fixture.append(fixture.events(3, to: b)) == EventID(3))
        #expect(try fixture.append(fixture.events(1, to: a)) == EventID(6))
        #expect(try fixture.ids(a) == [1, 2, 6])
        #expect(try fixture.ids(b) == [3, 4, 5])
        #expect(fixture.queue.snapshot().lastID == EventID(6))
    }

    @Test func requestsThatArriveTogetherShareACommitAndOneAnswer() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let requests = (0..<20).map { _ in fixture.request(fixture.events(2, to: id)) }
        fixture.queue.writer.queue.suspend()
        for request in requests { fixture.queue.append([request]) }
        fixture.queue.writer.queue.resume()
        fixture.drain()
        #expect(fixture.recorder.commits.count == 1)
        #expect(fixture.recorder.state.withLock { $0.calls } == [requests.map(\.token)])
        #expect(fixture.recorder.commits.first?.appended.first?.events.map(\.id.rawValue) == Array(1...40))
    }

    @Test func aGroupClosesAtFourMebibytesOrOneLargerRequest() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let sizes = [3 << 20, 1 << 19, 5 << 20, 10, 10]
        let requests = sizes.map { fixture.request(fixture.events(1, to: id, bytes: $0)) }
        fixture.queue.append(requests)
        fixture.drain()
        #expect(fixture.recorder.state.withLock { $0.calls.map(\.count) } == [2, 1, 2])
        #expect(try fixture.scan(id).events.map(\.data.count) == sizes)
    }

    @Test func aRequestMayGoToSeveralDestinations() throws {
        let fixture = try QueueFixture()
        let (a, b) = (fixture.destination("a"), fixture.destination("b"))
        let mixed = [a, b, a, b, b].flatMap { fixture.events(1, to: $0) }
        try fixture.append(mixed)
        #expect(try fixture.ids(a) == [1, 3])
        #expect(try fixture.ids(b) == [2, 4, 5])
        let streams = fixture.queue.snapshot().streams
        #expect(streams.map(\.totals.queuedEvents) == [2, 3])
        #expect(fixture.recorder.commits[0].appended.map { $0.events.map(\.id.rawValue) } == [[1, 3], [2, 4, 5]])
    }

    @Test func reportsWhoWaitsForDelivery() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let request = fixture.request(fixture.events(2, to: id), awaitsDelivery: true)
        fixture.queue.append([fixture.request(fixture.events(1, to: id)), request])
        fixture.drain()
        let awaited = fixture.recorder.commits[0].awaited
        #expect(awaited.map(\.id.rawValue) == [2, 3])
        #expect(awaited.allSatisfy { $0.token == request.token })
    }

    @Test func keepsBytesAndKeysAsTheyWere() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let events = [
            NewEvent(destination: id, key: .none, data: Payload([0, 255, 0])),
            NewEvent(destination: id, key: EventKey(partitionKey: "é\u{0}ü"), data: .empty),
            NewEvent(
                destination: id,
                key: EventKey(partitionKey: "a key that is longer than a small string", explicitHashKey: "42"),
                data: Payload(Array("xxabcxx".utf8), range: 2..<5)
            ),
        ]
        try fixture.append(events)
        let loaded = try fixture.scan(id).events
        #expect(loaded.map(\.key) == events.map(\.key))
        #expect(loaded.map(\.data) == events.map(\.data))
        #expect(loaded.allSatisfy { $0.acceptedMS == fixture.time.state.withLock { $0.wallMS } })
    }

    @Test func acknowledgesAfterASyncAndSettlesWithoutOne() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture { $0.vfs = vfs.name }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        for _ in 0..<3 {
            let before = vfs.count(.sync)
            try fixture.append(fixture.events(2, to: id))
            #expect(vfs.count(.sync) == before + 1)
        }
        let before = vfs.count(.sync)
        fixture.settle([1, 2], of: id)
        #expect(vfs.count(.sync) == before)
        fixture.bury([3], of: id)
        #expect(vfs.count(.sync) == before + 1)
    }

    @Test func anEmptyRequestIsAnswered() throws {
        let fixture = try QueueFixture()
        _ = try fixture.append([])
    }

    @Test func closedQueueRefusesAsStopping() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        fixture.queue.close()
        #expect(fixture.refusal(fixture.events(1, to: id)) == .stopping)
    }

    @Test func closeCommitsWhatWasBroughtBefore() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        let request = fixture.request(fixture.events(3, to: id))
        fixture.queue.append([request])
        try fixture.reopen()
        guard case .stored(EventID(1)) = fixture.recorder.answer(request.token) else {
            Issue.record("not stored")
            return
        }
        #expect(try fixture.ids(id) == [1, 2, 3])
    }
}
