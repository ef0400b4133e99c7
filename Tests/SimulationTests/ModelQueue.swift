// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What a queue file does, without the file: commits that take time and are reported in order, loads that see a
/// snapshot and arrive later, prefixes that limits remove, damage, and crashes.
final class ModelQueue {
    enum Fate: Hashable {
        case delivered
        case deadLettered(code: String)
        case removed(Commit.RemovalCause)
    }

    struct Row {
        let destination: DestinationID
        let event: StoredEvent
        let lane: Lane
        let isDamaged: Bool
        var fate: Fate?

        var isDead: Bool { if case .deadLettered = fate { true } else { false } }
    }

    /// An event before it has an id.
    struct Draft {
        let destination: DestinationID
        let key: EventKey
        let lane: Lane
        let data: Payload
        let isDamaged: Bool
    }

    private enum Operation {
        case append([Draft], isAwaited: Bool)
        case settle(Settlement)
        case bury(DeadLetter)
        case remove(DestinationID, count: Int, Commit.RemovalCause)
        case expire
    }

    struct Delays {
        var commitMS = 1...10
        var reportMS = 0...2
        var snapshotMS = 0...4
        var deliveryMS = 0...4
        var loadFailure = 0.0
    }

    var delays = Delays()
    var limits = Limits()
    /// Row i has the id i + 1.
    private(set) var rows: [Row] = []
    /// How many have no fate yet.
    private(set) var queued = 0
    var totals: [DestinationID: Totals] = [:]
    /// Payloads and keys that were read from the file.
    private(set) var loadedBytes = 0
    var onCommit: (Commit) -> Void = { _ in }
    /// A row was committed, or met its fate.
    var onAppended: (EventID, Row) -> Void = { _, _ in }
    var onFate: (EventID, Row) -> Void = { _, _ in }
    /// What was posted is answered: stored under these ids, or refused.
    var onAnswer: (ClosedRange<Int64>?) -> Void = { _ in }

    let world: VirtualWorld
    private var generator: SeededGenerator
    private(set) var idsOf: [DestinationID: [Int64]] = [:]
    private var pending: [Operation] = []
    private var inCommit: [Operation]?
    private var lastReport = Instant.zero
    private var unreported = 0
    private var epoch = 0

    init(world: VirtualWorld, generator: SeededGenerator) {
        self.world = world
        self.generator = generator
    }

    subscript(id: EventID) -> Row { rows[Int(id.rawValue) - 1] }

    /// The highest id of a destination that is still there.
    func lastCommitted(_ destination: DestinationID) -> EventID {
        let last = idsOf[destination]?.last { rows[Int($0) - 1].fate == nil }
        return EventID(last ?? 0)
    }

    // MARK: Writing

    func append(_ drafts: [Draft], isAwaited: Bool = false) { submit(.append(drafts, isAwaited: isAwaited)) }
    func settle(_ settlement: Settlement) { submit(.settle(settlement)) }
    func bury(_ letter: DeadLetter) { submit(.bury(letter)) }
    func remove(_ destination: DestinationID, count: Int, _ cause: Commit.RemovalCause) {
        submit(.remove(destination, count: count, cause))
    }

    /// Removes what is too old, as far as age is limited.
    func expire() { submit(.expire) }

    /// Nothing is to be written.
    var isIdle: Bool { inCommit == nil && pending.isEmpty && unreported == 0 }

    private func submit(_ operation: Operation) {
        pending.append(operation)
        if inCommit == nil { beginCommit() }
    }

    private func beginCommit() {
        guard !pending.isEmpty else { return }
        inCommit = pending
        pending = []
        let began = epoch
        world.after(generator.milliseconds(delays.commitMS)) { [self] in
            guard began == epoch, let group = inCommit else { return }
            inCommit = nil
            var answers: [ClosedRange<Int64>?] = []
            let commit = apply(group, &answers)
            lastReport = max(lastReport, world.now + generator.milliseconds(delays.reportMS))
            unreported += 1
            world.at(lastReport) { [self] in
                guard began == epoch else { return }
                unreported -= 1
                for answer in answers { onAnswer(answer) }
                onCommit(commit)
            }
            beginCommit()
        }
    }

    private func apply(_ group: [Operation], _ answers: inout [ClosedRange<Int64>?]) -> Commit {
        var commit = Commit()
        var appended: [DestinationID: [StoredEvent]] = [:]
        var order: [DestinationID] = []
        for operation in group {
            switch operation {
            case .append(let drafts, let isAwaited):
                guard makeRoom(for: drafts, &commit) else {
                    for draft in drafts { totals[draft.destination, default: Totals()].refused += 1 }
                    answers.append(nil)
                    continue
                }
                answers.append(Int64(rows.count + 1)...Int64(rows.count + drafts.count))
                for draft in drafts {
                    let row = insert(draft)
                    if appended[draft.destination] == nil { order.append(draft.destination) }
                    appended[draft.destination, default: []].append(row.event)
                    if isAwaited {
                        let destination = draft.destination
                        commit.awaited.append(
                            .init(id: row.event.id, destination: destination, token: 0, receiver: Deaf.shared)
                        )
                    }
                }
            case .settle(let settlement):
                for id in settlement.ids { meet(id, .delivered) }
                commit.settled.append(settlement)
            case .bury(let letter):
                meet(letter.id, .deadLettered(code: letter.code))
                commit.deadLettered.append(letter)
            case .remove(let destination, let count, let cause):
                remove(Array(oldest(of: destination).prefix(count)), of: destination, cause, &commit)
            case .expire:
                guard let maxAge = limits.maxAge else { continue }
                for destination in idsOf.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
                    let old = oldest(of: destination).prefix { age(of: $0) > maxAge }
                    remove(Array(old), of: destination, .expired, &commit)
                }
            }
        }
        commit.appended = order.map { .init(destination: $0, events: appended[$0] ?? []) }
        return commit
    }

    private func insert(_ draft: Draft) -> Row {
        let id = EventID(Int64(rows.count + 1))
        let event = StoredEvent(
            id: id,
            key: draft.key,
            acceptedMS: world.now.nanoseconds / 1_000_000,
            data: draft.data
        )
        let row = Row(destination: draft.destination, event: event, lane: draft.lane, isDamaged: draft.isDamaged)
        rows.append(row)
        idsOf[draft.destination, default: []].append(id.rawValue)
        queued += 1
        totals[draft.destination, default: Totals()].appended(row)
        onAppended(id, row)
        return row
    }

    /// Who comes first owns the event.
    func meet(_ id: EventID, _ fate: Fate) {
        guard self[id].fate == nil else { return }
        rows[Int(id.rawValue) - 1].fate = fate
        queued -= 1
        totals[self[id].destination]?.met(fate, self[id])
        onFate(id, self[id])
    }

    /// Commits at once and reports nothing: a backlog from before the start.
    func preload(_ drafts: [Draft]) { for draft in drafts { _ = insert(draft) } }

    /// The process dies. What is being committed may be in the file or not; what waits for a commit is not.
    func crash() {
        epoch += 1
        var unheard: [ClosedRange<Int64>?] = []
        if let group = inCommit, generator.chance(0.5) { _ = apply(group, &unheard) }
        inCommit = nil
        pending = []
        unreported = 0
    }

    // MARK: Reading

    /// Calls back with what was found, or with `nil` where the load failed.
    func load(_ request: LoadRequest, _ deliver: @escaping (LoadedEvents?) -> Void) {
        let began = epoch
        world.after(generator.milliseconds(delays.snapshotMS)) { [self] in
            guard began == epoch else { return }
            let result = generator.chance(delays.loadFailure) ? nil : read(request)
            loadedBytes += result?.events.reduce(0) { $0 + $1.recordBytes } ?? 0
            world.after(generator.milliseconds(delays.deliveryMS)) { [self] in
                if began == epoch { deliver(result) }
            }
        }
    }

    private func read(_ request: LoadRequest) -> LoadedEvents {
        var events: [StoredEvent] = []
        var damaged: [EventID] = []
        var through = EventID(Int64(rows.count))
        switch request.what {
        case .events(let ids):
            through = .zero
            for id in ids where self[id].fate == nil && self[id].destination == request.destination {
                if self[id].isDamaged { damaged.append(id) } else { events.append(self[id].event) }
            }
        case .scan(let after, let skipping, let only):
            let ids = idsOf[request.destination] ?? []
            var bytes = 0
            for id in ids[firstIndex(above: after.rawValue, in: ids)...] where rows[Int(id) - 1].fate == nil {
                let row = rows[Int(id) - 1]
                // The key of a damaged event is not to be trusted, so every scan meets it.
                if row.isDamaged {
                    damaged.append(row.event.id)
                    continue
                }
                if row.event.key.isNone {
                    if only != nil { continue }
                } else if skipping.contains(row.lane) || !(only?.contains(row.lane) ?? true) {
                    continue
                }
                let isFull = events.count == request.maxEvents || bytes + row.event.recordBytes > request.maxBytes
                if isFull, let last = events.last {
                    through = max(last.id, damaged.last ?? .zero)
                    break
                }
                events.append(row.event)
                bytes += row.event.recordBytes
            }
        }
        return LoadedEvents(destination: request.destination, events: events, through: through, damaged: damaged)
    }

    private func firstIndex(above id: Int64, in ids: [Int64]) -> Int {
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] > id { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Waits for deliveries and does not listen.
private final class Deaf: AppendReceiver {
    static let shared = Deaf()
    func appended(_ answers: [AppendAnswer]) {}
    func delivered(_ notices: [DeliveryNotice]) {}
}
