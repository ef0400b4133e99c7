// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

/// The queue beside an array that does the same, step by step, from a seed.
struct ModelTests {
    private struct Entry: Equatable {
        let id: Int64
        let data: [UInt8]
        let acceptedMS: Int64
    }

    private struct Model {
        var queued: [DestinationID: [Entry]] = [:]
        var dead: [Int64: (destination: DestinationID, entry: Entry)] = [:]
        var totals: [DestinationID: QueueTotals] = [:]
        var next: Int64 = 1
    }

    private static let maxAgeMS: Int64 = 60_000
    private static let overhead: Int64 = 64 + 3

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func theFileDoesWhatAnArrayDoes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let dropOldest = seed % 3 == 0
        let maxBytes: Int64 = seed % 2 == 0 ? 60_000 : 1 << 30
        func adjust(_ settings: inout QueueSettings) {
            settings.maxAge = .milliseconds(Self.maxAgeMS)
            settings.maxBytes = maxBytes
            settings.whenFull = dropOldest ? .dropOldest : .reject
            settings.walFrames = 50
        }
        var fixture = try QueueFixture(adjust)
        let ids = (0..<4).map { fixture.destination("s\($0)") }
        var model = Model()
        // A destination keeps its number over a restart once it has had an event.
        for id in ids {
            let entry = Entry(id: model.next, data: [1], acceptedMS: fixture.queue.writer.agentNow)
            #expect(
                try fixture.append([NewEvent(destination: id, key: EventKey(partitionKey: "key"), data: Payload([1]))])
                    == EventID(model.next)
            )
            model.queued[id] = [entry]
            model.totals[id, default: QueueTotals()].accepted = 1
            model.next += 1
        }
        for step in 0..<150 {
            let id = ids.randomElement(using: &random) ?? ids[0]
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<40: append(fixture, &model, ids, &random)
            case 40..<65:
                let chosen = (model.queued[id] ?? []).filter { _ in Bool.random(using: &random) }.map(\.id)
                let strange = Bool.random(using: &random) ? chosen : (chosen + [model.next + 5])
                fixture.settle(strange, of: id)
                remove(Set(chosen), of: id, &model) { $0.delivered += 1 }
            case 65..<75:
                let chosen = (model.queued[id] ?? []).filter { _ in Int.random(in: 0..<5, using: &random) == 0 }
                fixture.bury(chosen.map(\.id), of: id)
                for entry in chosen { model.dead[entry.id] = (id, entry) }
                remove(Set(chosen.map(\.id)), of: id, &model) { $0.deadLettered += 1 }
            case 75..<80:
                let chosen = model.dead.keys.sorted().filter { _ in Bool.random(using: &random) }
                #expect(try fixture.requeue(chosen) == chosen.count)
                let now = fixture.queue.writer.agentNow
                for letter in chosen {
                    guard let (destination, entry) = model.dead.removeValue(forKey: letter) else { continue }
                    let moved = Entry(id: model.next, data: entry.data, acceptedMS: now)
                    model.next += 1
                    model.queued[destination, default: []].append(moved)
                    model.totals[destination, default: QueueTotals()].deadLettered -= 1
                }
            case 80..<83:
                let chosen = model.dead.keys.sorted().filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
                #expect(try fixture.purge(chosen) == chosen.count)
                for letter in chosen { model.dead[letter] = nil }
            case 83..<92:
                fixture.time.advance(.milliseconds(Int64.random(in: 0...20_000, using: &random)))
                fixture.upkeep()
                let cutoff = fixture.queue.writer.agentNow - Self.maxAgeMS
                for id in ids {
                    let old = (model.queued[id] ?? []).prefix { $0.acceptedMS <= cutoff }.map(\.id)
                    remove(Set(old), of: id, &model) { $0.expired += 1 }
                }
            case 92..<96: try fixture.reopen()
            default: fixture = try fixture.crashed(adjust)
            }
            try compare(fixture, model, ids, "seed \(seed), step \(step)")
        }
        #expect(model.next > 100)
    }

    private func append(
        _ fixture: QueueFixture,
        _ model: inout Model,
        _ ids: [DestinationID],
        _ random: inout SeededGenerator
    ) {
        let requests = (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let events = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                let bytes = Int.random(
                    in: 0...(Int.random(in: 0..<20, using: &random) == 0 ? 9000 : 300),
                    using: &random
                )
                return NewEvent(
                    destination: ids.randomElement(using: &random) ?? ids[0],
                    key: EventKey(partitionKey: "key"),
                    data: Payload((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
                )
            }
            return fixture.request(events)
        }
        let before = fixture.recorder.commits.count
        fixture.queue.append(requests)
        fixture.drain()
        let now = fixture.queue.writer.agentNow
        for request in requests {
            if case .stored(let first) = fixture.recorder.answer(request.token) {
                #expect(first.rawValue == model.next)
                for event in request.events {
                    let entry = Entry(id: model.next, data: event.data.bytes, acceptedMS: now)
                    model.queued[event.destination, default: []].append(entry)
                    model.totals[event.destination, default: QueueTotals()].accepted += 1
                    model.next += 1
                }
            } else {
                for event in request.events { model.totals[event.destination, default: QueueTotals()].refused += 1 }
            }
        }
        for removal in fixture.recorder.commits.dropFirst(before).flatMap(\.removed) {
            let gone = (model.queued[removal.destination] ?? []).prefix { $0.id <= removal.through.rawValue }.map(\.id)
            #expect(gone.count == removal.count)
            remove(Set(gone), of: removal.destination, &model) { $0.evicted += 1 }
        }
    }

    private func remove(
        _ ids: Set<Int64>,
        of destination: DestinationID,
        _ model: inout Model,
        _ count: (inout QueueTotals) -> Void
    ) {
        for id in ids where model.queued[destination]?.contains(where: { $0.id == id }) == true {
            count(&model.totals[destination, default: QueueTotals()])
        }
        model.queued[destination]?.removeAll { ids.contains($0.id) }
    }

    private func compare(_ fixture: QueueFixture, _ model: Model, _ ids: [DestinationID], _ at: Comment) throws {
        let snapshot = fixture.queue.snapshot()
        #expect(snapshot.totals.isBalanced, at)
        for id in ids {
            let expected = model.queued[id] ?? []
            let loaded = try fixture.scan(id)
            let found = loaded.events.map { Entry(id: $0.id.rawValue, data: $0.data.bytes, acceptedMS: $0.acceptedMS) }
            try #require(found == expected, at)
            #expect(loaded.through == EventID(model.next - 1), at)
            let stream = snapshot.streams.first { $0.id == id }
            var totals = model.totals[id] ?? QueueTotals()
            totals.queuedEvents = Int64(expected.count)
            totals.queuedBytes = expected.reduce(0) { $0 + Int64($1.data.count) + Self.overhead }
            let dead = model.dead.values.filter { $0.destination == id }
            totals.deadEvents = Int64(dead.count)
            totals.deadBytes = dead.reduce(0) { $0 + Int64($1.entry.data.count) + Self.overhead }
            // Counts of refusals since the last commit are not in the file yet when it is copied.
            var counted = stream?.totals ?? QueueTotals()
            counted.refused = 0
            totals.refused = 0
            try #require(counted == totals, at)
        }
    }
}
