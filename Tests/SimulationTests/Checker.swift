// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The laws. The first one that is broken ends the run.
final class Checker {
    /// What is known of one event.
    private struct Trail {
        var arrivals = 0
        /// Attempts after which nobody can say whether it was stored.
        var ambiguous = 0
        /// Kinesis said that it has it, and the machine was told.
        var isConfirmed = false
        var isInFlight = false
        let committed: Instant
        var arrived: Instant?
        /// Somebody was told that it is stored.
        var isAcknowledged = false
        var failures = Streak()
    }

    /// Failures one after the other.
    private struct Streak {
        private var since = Instant.zero
        private var count = 0

        /// - Returns: Whether there were too many for one that waits longer each time.
        mutating func failed(now: Instant) -> Bool {
            if now - since > .seconds(10) {
                since = now
                count = 0
            }
            count += 1
            return count > 40
        }
    }

    private struct Unit: Hashable {
        let destination: DestinationID
        let key: EventKey
    }

    private(set) var violation: String?
    private(set) var duplicates = 0
    private let queue: ModelQueue
    private var trails: [Trail] = []
    /// Rows that were posted: token to id.
    private var ids: [UInt64: EventID] = [:]
    private var busy: Set<Unit> = []
    private var newest: [Unit: EventID] = [:]
    private var failures: [DestinationID: Streak] = [:]
    /// What limits removed, as far as the machine knows.
    private var gone: [DestinationID: EventID] = [:]
    private(set) var acknowledged = 0
    /// The largest record that each destination may hold, by settings then valid.
    var largestRecord: (DestinationID) -> Int = { _ in .max }

    private let now: () -> Instant

    init(queue: ModelQueue, now: @escaping () -> Instant) {
        self.queue = queue
        self.now = now
    }

    /// How long the events of a destination took from their commit to their first arrival, ascending.
    func waits(of destination: DestinationID) -> [Duration] {
        queue.rows.filter { $0.destination == destination }.compactMap { row in
            let trail = trails[index(row.event.id)]
            return trail.arrived.map { $0 - trail.committed }
        }.sorted()
    }

    /// Events of a destination that were refused.
    func refused(_ destination: DestinationID) -> Int { queue.totals[destination]?.refused ?? 0 }

    /// How many events arrived by then.
    func arrivals(by end: Instant, where counts: (ModelQueue.Row) -> Bool) -> Int {
        queue.rows.reduce(0) { sum, row in
            guard let arrived = trails[index(row.event.id)].arrived, arrived <= end, counts(row) else { return sum }
            return sum + 1
        }
    }

    func violated(_ law: String) { if violation == nil { violation = law } }

    func appended(_ id: EventID, _ row: ModelQueue.Row) {
        trails.append(Trail(committed: now()))
        ids[Self.token(of: row.event.data)] = id
    }

    static func token(of data: Payload) -> UInt64 {
        data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    // MARK: Requests

    func sent(_ request: SimulatedRequest, mostBytes: Int) {
        let batch = request.batch
        let records = batch.request.records
        if records.isEmpty || records.count > 500 || records.count != batch.events.count {
            violated("a request has \(records.count) records for \(batch.events.count) events")
        }
        let bytes = records.reduce(0) { $0 + $1.data.count + $1.partitionKey.utf8.count }
        if records.count > 1, bytes > mostBytes + records.count * 12 { violated("a request has \(bytes) bytes") }
        for (record, id) in zip(records, batch.events) {
            let row = queue[id]
            if ids[Self.token(of: record.data)] != id || record.data.count != row.event.data.count {
                violated("event \(id) goes out with other data")
            }
            if record.partitionKey.isEmpty || !row.event.key.isNone && record.partitionKey != row.event.key.partitionKey
                || record.explicitHashKey != row.event.key.explicitHashKey
            {
                violated("event \(id) goes out under another key")
            }
            if id <= gone[batch.destination] ?? .zero { violated("event \(id) is sent after a limit removed it") }
            if row.destination != batch.destination { violated("event \(id) goes to another destination") }
            if trails[index(id)].isInFlight { violated("event \(id) is in two requests") }
            trails[index(id)].isInFlight = true
            let unit = Unit(destination: row.destination, key: row.event.key)
            if request.isOrdered, !row.event.key.isNone, !busy.insert(unit).inserted {
                violated("two events of key \(row.event.key.partitionKey) are under way, the second is \(id)")
            }
        }
    }

    func arrived(_ request: SimulatedRequest, _ record: Int) {
        let id = request.batch.events[record]
        trails[index(id)].arrivals += 1
        guard trails[index(id)].arrivals == 1 else {
            duplicates += 1
            return
        }
        trails[index(id)].arrived = now()
        let row = queue[id]
        guard request.isOrdered, !row.event.key.isNone else { return }
        let unit = Unit(destination: row.destination, key: row.event.key)
        if let last = newest[unit], last > id {
            // What was given up may arrive late.
            switch row.fate {
            case .deadLettered, .removed: return
            case .delivered, nil: violated("event \(id) of key \(unit.key.partitionKey) arrives after \(last)")
            }
        }
        newest[unit] = max(newest[unit] ?? .zero, id)
    }

    func answered(_ request: SimulatedRequest, _ outcome: SendOutcome, isAmbiguous: Bool) {
        countFailures(request, outcome)
        var accepted = [Bool](repeating: false, count: request.batch.events.count)
        if !isAmbiguous, case .answered(let records) = outcome {
            for (i, record) in records.enumerated() { if case .accepted = record { accepted[i] = true } }
        }
        for (i, id) in request.batch.events.enumerated() {
            trails[index(id)].isInFlight = false
            if isAmbiguous { trails[index(id)].ambiguous += 1 }
            if accepted[i] {
                trails[index(id)].isConfirmed = true
            } else {
                busy.remove(Unit(destination: request.batch.destination, key: queue[id].event.key))
            }
        }
    }

    /// What fails is not to be tried again and again without a pause that grows.
    private func countFailures(_ request: SimulatedRequest, _ outcome: SendOutcome) {
        let destination = request.batch.destination
        switch outcome {
        case .failed(let failure):
            // Looking for one record takes several requests.
            guard Disposition(failure) != .record else { return }
            if failures[destination, default: Streak()].failed(now: now()) {
                violated("requests to \(destination) fail all the time")
            }
        case .answered(let records):
            failures[destination] = nil
            for (id, record) in zip(request.batch.events, records) {
                guard case .refused = record else { continue }
                if trails[index(id)].failures.failed(now: now()) { violated("event \(id) fails all the time") }
            }
        }
    }

    /// Somebody who posted was answered: stored under these ids, or refused.
    func acknowledged(_ ids: ClosedRange<Int64>?) {
        guard let ids else { return }
        for id in ids {
            if id > trails.count { return violated("event \(id) is acknowledged and not stored") }
            trails[Int(id) - 1].isAcknowledged = true
        }
        acknowledged += ids.count
    }

    /// The process ends in good order: nothing is left that could arrive twice.
    func exits() {
        for (i, trail) in trails.enumerated() where trail.isInFlight || trail.isConfirmed && queue.rows[i].fate == nil {
            violated("event \(i + 1) is not settled when the process ends")
        }
        busy = []
        failures = [:]
    }

    /// The process died: what was under way, or confirmed and not yet settled, may be sent again.
    func crashed() {
        busy = []
        failures = [:]
        for row in queue.rows where row.fate == nil {
            let i = index(row.event.id)
            if trails[i].isInFlight || trails[i].isConfirmed { trails[i].ambiguous += 1 }
            trails[i].isConfirmed = false
        }
        for i in trails.indices { trails[i].isInFlight = false }
    }

    // MARK: Fates

    func asked(_ settlement: Settlement) {
        for id in settlement.ids where !trails[index(id)].isConfirmed { violated("event \(id) is settled unconfirmed") }
        if settlement.ids != settlement.ids.sorted() { violated("a settlement is not ascending") }
    }

    func asked(_ letter: DeadLetter) {
        let row = queue[letter.id]
        let isJust =
            switch letter.code {
            case "checksum": row.isDamaged
            case "record_too_large": row.event.recordBytes > largestRecord(letter.destination)
            default: SimulatedKinesis.mark(of: row.event.data) != .fine
            }
        if !isJust { violated("event \(letter.id) is a dead letter for \(letter.code)") }
        if letter.reason.isEmpty && letter.code.isEmpty {
            violated("event \(letter.id) is a dead letter for no reason")
        }
    }

    func met(_ id: EventID, _ row: ModelQueue.Row) {
        if row.fate == .delivered, trails[index(id)].arrivals == 0 {
            violated("event \(id) is settled and never arrived")
        }
    }

    /// The machine hears of a commit: keys are free from here on.
    func reported(_ commit: Commit) {
        for removal in commit.removed {
            gone[removal.destination] = max(gone[removal.destination] ?? .zero, removal.through)
        }
        for (destination, totals) in queue.totals where !totals.balance {
            violated("the totals of \(destination) do not balance: \(totals)")
        }
        for id in commit.settled.flatMap(\.ids) + commit.deadLettered.map(\.id) {
            busy.remove(Unit(destination: queue[id].destination, key: queue[id].event.key))
        }
    }

    /// All faults are over and the machine says that it is done.
    func finish() {
        for row in queue.rows {
            let id = row.event.id
            let trail = trails[index(id)]
            if row.fate == nil {
                violated("event \(id) is left in the queue\(trail.isAcknowledged ? ", and was acknowledged" : "")")
            }
            if row.fate == .delivered, trail.arrivals == 0 { violated("event \(id) counts as delivered, and is not") }
            if trail.arrivals > 1 + trail.ambiguous {
                violated("event \(id) arrived \(trail.arrivals) times after \(trail.ambiguous) ambiguous attempts")
            }
        }
    }

    private func index(_ id: EventID) -> Int { Int(id.rawValue) - 1 }
}
