// SPDX-License-Identifier: Apache-2.0
import AgentCore

@testable import AgentQueue

/// What the queue holds, as arrays.
struct QueueModel {
    struct Event: Equatable {
        let id: Int64
        let key: EventKey
        let acceptedMS: Int64
        let data: [UInt8]

        var quotaBytes: Int64 { Int64(data.count + key.storedBytes) + QueueTotals.eventOverhead }
    }

    struct Letter: Equatable {
        let destination: DestinationID
        let event: Event
        let reason: String
    }

    var queued: [DestinationID: [Event]] = [:]
    var dead: [Letter] = []
    /// Without what is counted from the arrays, and without refusals, which reach the file with the next commit.
    var counts: [DestinationID: QueueTotals] = [:]
    var nextID: Int64 = 1

    // MARK: What happens

    mutating func append(_ events: [NewEvent], now: Int64) {
        for event in events {
            let entry = Event(id: nextID, key: event.key, acceptedMS: now, data: event.data.bytes)
            queued[event.destination, default: []].append(entry)
            counts[event.destination, default: QueueTotals()].accepted += 1
            nextID += 1
        }
    }

    mutating func settle(_ ids: [Int64], of id: DestinationID) {
        counts[id, default: QueueTotals()].delivered += Int64(take(of: id) { ids.contains($0.id) }.count)
    }

    mutating func bury(_ ids: [Int64], of id: DestinationID, reason: String) {
        let gone = take(of: id) { ids.contains($0.id) }
        counts[id, default: QueueTotals()].deadLettered += Int64(gone.count)
        dead += gone.map { Letter(destination: id, event: $0, reason: reason) }
        dead.sort { $0.event.id < $1.event.id }
    }

    /// Up to the first one that there is no room for.
    mutating func requeue(_ ids: [Int64], now: Int64, maxBytes: Int64, limits: [DestinationID: Int64]) {
        for id in ids {
            guard let index = dead.firstIndex(where: { $0.event.id == id }) else { continue }
            let (destination, old) = (dead[index].destination, dead[index].event)
            let again = NewEvent(destination: destination, key: old.key, data: Payload(old.data))
            guard hasRoom(for: [again], maxBytes: maxBytes, limits: limits) else { return }
            let letter = dead.remove(at: index)
            let event = Event(id: nextID, key: letter.event.key, acceptedMS: now, data: letter.event.data)
            queued[letter.destination, default: []].append(event)
            counts[letter.destination, default: QueueTotals()].deadLettered -= 1
            nextID += 1
        }
    }

    mutating func purge(_ ids: [Int64]) { dead.removeAll { ids.contains($0.event.id) } }

    mutating func expire(through cutoff: Int64) {
        for id in queued.keys {
            let old = (queued[id] ?? []).prefix { $0.acceptedMS <= cutoff }.map(\.id)
            counts[id, default: QueueTotals()].expired += Int64(take(of: id) { old.contains($0.id) }.count)
        }
    }

    /// The number of events that went.
    @discardableResult
    mutating func evict(through last: Int64, of id: DestinationID) -> Int {
        let count = take(of: id) { $0.id <= last }.count
        counts[id, default: QueueTotals()].evicted += Int64(count)
        return count
    }

    private mutating func take(of id: DestinationID, where isTaken: (Event) -> Bool) -> [Event] {
        let gone = (queued[id] ?? []).filter(isTaken)
        if !gone.isEmpty { queued[id]?.removeAll(where: isTaken) }
        return gone
    }

    // MARK: What follows from it

    func totals(of id: DestinationID) -> QueueTotals {
        var totals = counts[id] ?? QueueTotals()
        totals.queuedEvents = Int64(queued[id]?.count ?? 0)
        totals.queuedBytes = bytes(of: id)
        let letters = dead.filter { $0.destination == id }
        totals.deadEvents = Int64(letters.count)
        totals.deadBytes = letters.reduce(0) { $0 + $1.event.quotaBytes }
        return totals
    }

    func bytes(of id: DestinationID) -> Int64 { (queued[id] ?? []).reduce(0) { $0 + $1.quotaBytes } }

    /// Whether the quota lets the events in, without evicting others.
    func hasRoom(for events: [NewEvent], maxBytes: Int64, limits: [DestinationID: Int64]) -> Bool {
        let sum = events.reduce(0) { $0 + $1.queueBytes }
        let used = queued.keys.reduce(0) { $0 + bytes(of: $1) }
        if used + sum > maxBytes { return false }
        for id in Set(events.map(\.destination)) {
            let after = bytes(of: id) + events.filter { $0.destination == id }.reduce(0) { $0 + $1.queueBytes }
            if let limit = limits[id], after > limit { return false }
            if used + sum > maxBytes - maxBytes / 10, after > maxBytes / 10 { return false }
        }
        return true
    }

    /// The first thing that differs; `nil`: nothing does.
    func difference(from other: QueueModel) -> String? {
        for id in Set(queued.keys).union(other.queued.keys).sorted(by: { $0.rawValue < $1.rawValue }) {
            let (mine, theirs) = (queued[id] ?? [], other.queued[id] ?? [])
            if mine.map(\.id) != theirs.map(\.id) {
                return "events of \(id): \(mine.map(\.id)), not \(theirs.map(\.id))"
            }
            for (a, b) in zip(mine, theirs) where a != b { return "event \(a.id) of \(id): \(a), not \(b)" }
            if totals(of: id) != other.totals(of: id) {
                return "totals of \(id): \(totals(of: id)), not \(other.totals(of: id))"
            }
        }
        if dead != other.dead { return "dead letters: \(dead.map(\.event.id)), not \(other.dead.map(\.event.id))" }
        return nextID == other.nextID ? nil : "next id: \(nextID), not \(other.nextID)"
    }

    /// Whether `other` is this after some of the oldest events were evicted.
    func becomesByEviction(_ other: QueueModel) -> Bool {
        var copy = self
        for (id, events) in queued {
            let left = other.queued[id] ?? []
            guard left.count <= events.count else { return false }
            let gone = events.count - left.count
            if gone > 0 { copy.evict(through: events[gone - 1].id, of: id) }
        }
        return copy.difference(from: other) == nil
    }
}

extension QueueFixture {
    /// What the queue says that it holds, read back; nothing of it is taken from what was written.
    func contents(of ids: [DestinationID]) throws -> QueueModel {
        var found = QueueModel()
        let snapshot = queue.snapshot()
        for id in ids {
            let loaded = try scan(id)
            guard loaded.damaged.isEmpty else { throw Wrong("damaged rows \(loaded.damaged)") }
            guard loaded.through == snapshot.lastID else { throw Wrong("read through \(loaded.through)") }
            found.queued[id] = loaded.events.map(QueueModel.Event.init)
        }
        found.dead = try deadLetters(limit: 100_000).map {
            QueueModel.Letter(destination: $0.destination, event: QueueModel.Event($0.event), reason: $0.reason)
        }
        found.nextID = snapshot.lastID.rawValue + 1
        for stream in snapshot.streams {
            guard stream.totals.isBalanced else {
                throw Wrong("totals of \(stream.id) do not balance: \(stream.totals)")
            }
            var counts = stream.totals
            counts.refused = 0
            found.counts[stream.id] = counts
            // What the model counts from its arrays the queue keeps in numbers.
            guard counts == found.totals(of: stream.id) else {
                throw Wrong(
                    """
                    totals of \(stream.id) are not those of its rows, \(found.queued[stream.id, default: []].map(\.id)), \
                    \(found.dead.map(\.event.id)) dead: \(counts), not \(found.totals(of: stream.id))
                    """
                )
            }
        }
        return found
    }
}

extension QueueModel.Event {
    init(_ event: StoredEvent) {
        self.init(
            id: event.id.rawValue,
            key: event.key,
            acceptedMS: event.acceptedMS,
            data: event.data.bytes
        )
    }
}

/// What a test found.
struct Wrong: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
