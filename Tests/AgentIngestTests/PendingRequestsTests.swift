// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import Testing

@testable import AgentIngest

struct PendingRequestsTests {
    private static let start = NIODeadline.uptimeNanoseconds(1)
    private static let wait = TimeAmount.seconds(5)

    /// Owners are the names of the requests.
    private var requests = PendingRequests<String>(maxAwaiting: 3)

    private var released = 0

    private static func event(_ destination: Int64) -> NewEvent {
        NewEvent(destination: DestinationID(destination), key: EventKey(partitionKey: "k"), data: Payload([1]))
    }

    private mutating func insert(_ owner: String, _ destinations: [Int64] = [1], awaits: Bool = true) -> UInt64 {
        requests.insert(
            .init(
                owner: owner,
                count: destinations.count,
                bytes: 100,
                wait: awaits ? DeliveryWait(for: DestinationSet(of: destinations.map(Self.event)), Self.wait) : nil
            )
        )
    }

    private mutating func store(
        _ token: UInt64,
        _ first: Int64,
        at now: NIODeadline = Self.start,
        sick: DestinationID? = nil
    ) -> PendingRequests<String>.Request? {
        requests.answered(
            AppendAnswer(token: token, outcome: .stored(first: EventID(first))),
            now: now,
            released: &released,
            isDelivering: { $0 != sick }
        )
    }

    private mutating func deliver(_ token: UInt64, _ id: Int64) -> PendingRequests<String>.Ended? {
        let outcome = DeliveryNotice.Outcome.delivered(sequenceNumber: "n\(id)", shard: "s")
        return requests.delivered(DeliveryNotice(token: token, id: EventID(id), outcome: outcome))
    }

    /// The numbers that Kinesis gave the events of a request; `-` where it has not.
    private func numbers(_ ended: PendingRequests<String>.Ended?) -> [String]? {
        guard let events = ended?.events else { return nil }
        return (0..<events.count).map { index in
            if case .delivered(let number, _) = events.delivery(of: index) { number } else { "-" }
        }
    }

    @Test mutating func answersFindOnlyTheirOwnRequest() {
        let first = insert("a", awaits: false)
        let second = insert("b", awaits: false)
        let ended = store(first, 1)
        #expect(ended?.owner == "a")
        let third = insert("c", awaits: false)
        // The place is used again; the old token no longer leads there.
        var owners: [String?] = []
        for token in [first, third, second, .max] { owners.append(store(token, 1)?.owner) }
        #expect(owners == [nil, "c", "b", nil])
        #expect(requests.count == 0)
    }

    @Test mutating func anEndedWaitTellsOfEachEventWhatIsKnown() {
        let token = insert("a", [1, 2, 1])
        #expect(numbers(deliver(token, 12)) == nil)
        let answered = store(token, 10)
        #expect(answered?.owner == nil)
        #expect(released == 100)
        #expect(numbers(deliver(token, 10)) == nil)
        #expect(numbers(requests.nextEnded(at: Self.start)) == nil)
        #expect(requests.nextEnd == Self.start + Self.wait)
        let ended = requests.nextEnded(at: Self.start + Self.wait)
        #expect(numbers(ended) == ["n10", "-", "n12"])
        #expect(ended?.request.bytes == 0)
        #expect(numbers(deliver(token, 11)) == nil)
        #expect((requests.count, requests.awaiting, requests.nextEnd) == (0, 0, nil))
    }

    @Test mutating func allDeliveriesMayBeHeardOfBeforeTheCommit() {
        let token = insert("a", [1, 1])
        #expect(numbers(deliver(token, 8)) == nil)
        let ended = deliver(token, 7)
        #expect(numbers(ended) == ["n7", "n8"])
        #expect(ended?.request.bytes == 100)
        let answered = store(token, 7)
        #expect(answered?.owner == nil)
        #expect(released == 0)
    }

    @Test mutating func theSameNoticeTwiceIsOne() {
        let token = insert("a", [1, 1])
        #expect(numbers(deliver(token, 7)) == nil)
        #expect(numbers(deliver(token, 7)) == nil)
        #expect(numbers(deliver(token, 8)) == ["n7", "n8"])
    }

    @Test mutating func nobodyWaitsWhereOneOfTheDestinationsIsSick() {
        let token = insert("a", [1, 2])
        let answered = store(token, 1, sick: DestinationID(2))
        #expect(answered?.owner == "a")
        #expect((requests.awaiting, requests.count) == (0, 0))
    }

    @Test mutating func refusalsEndAtOnce() {
        let token = insert("a")
        let answer = AppendAnswer(token: token, outcome: .refused(.stopping))
        let request = requests.answered(answer, now: Self.start, released: &released, isDelivering: { _ in true })
        #expect(request?.owner == "a")
        #expect(requests.awaiting == 0)
    }

    @Test mutating func whenTheAgentStopsNobodyWaits() {
        let (first, second) = (insert("a"), insert("b"))
        _ = store(first, 1)
        requests.drain()
        #expect(!requests.mayAwait(1))
        #expect(requests.nextEnded(at: Self.start)?.request.owner == "a")
        #expect(numbers(requests.nextEnded(at: Self.start)) == nil)
        let answered = store(second, 2)
        #expect(answered?.owner == "b")
    }

    /// Beside a list that is searched: each wait ends when it is over, whichever end otherwise and whenever.
    @Test(arguments: 1...40)
    mutating func waitsOfAllLengthsEndWhenTheyAreOver(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var requests = PendingRequests<Int>(maxAwaiting: 20)
        var model: [(name: Int, token: UInt64, until: NIODeadline)] = []
        var (now, name) = (Self.start, 0)
        for _ in 0..<400 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0,
                1 where requests.mayAwait(1):
                guard requests.mayAwait(1) else { continue }
                name += 1
                let time = TimeAmount.seconds(Int64.random(in: 1...5, using: &random))
                let wait = DeliveryWait(for: DestinationSet(of: [Self.event(1)]), time)
                let token = requests.insert(.init(owner: name, count: 1, bytes: 1, wait: wait))
                let answer = AppendAnswer(token: token, outcome: .stored(first: EventID(Int64(name))))
                _ = requests.answered(answer, now: now, released: &released, isDelivering: { _ in true })
                model.append((name, token, now + time))
            case 2 where !model.isEmpty:
                let gone = model.remove(at: Int.random(in: 0..<model.count, using: &random))
                let notice = DeliveryNotice(token: gone.token, id: EventID(Int64(gone.name)), outcome: .dropped)
                let ended = requests.delivered(notice)
                #expect(ended?.request.owner == gone.name)
            default:
                now = now + .milliseconds(Int64.random(in: 0...1500, using: &random))
                var ended: Set<Int> = []
                while let next = requests.nextEnded(at: now) { ended.insert(next.request.owner) }
                #expect(ended == Set(model.filter { $0.until <= now }.map(\.name)), "seed \(seed)")
                model.removeAll { $0.until <= now }
            }
            #expect((requests.awaiting, requests.count) == (model.count, model.count))
            #expect(requests.nextEnd == model.map(\.until).min())
        }
    }
}
