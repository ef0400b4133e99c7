// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

/// Decides what is sent, when, and in which order. Pure: it hears what happened and the time, and says what to do.
///
/// Feed it everything that happened, then call ``plan(now:)`` once: it returns the actions, and when to call it again
/// at the latest. Nothing in it blocks, allocates without bound, or asks a clock.
///
/// What holds at every moment:
/// - An event of an ordered key is in at most one request, and a key stays held until the settlement, dead letter,
///   expiry or eviction of its head has *committed*. So the first arrivals of a key are in the order of their ids,
///   through partial failure, retry, restart and crash.
/// - An event is settled only after Kinesis gave a sequence number for it.
/// - Only a refusal that names a record, or that falls on it alone while others are accepted, makes a dead letter.
/// - Payloads in memory are bounded, per destination and in all, and so is what is remembered of blocked events.
/// - A destination, endpoint or identity that is sick takes a quarter of the workers at most, and one probe at a time.
///
/// Two choices are by measurement. Requests that are not full keep the linger's distance from each other whether or not
/// one is under way: a Kinesis that answers quickly would else get one small request for each commit; among more than a
/// hundred active destinations the distance grows with their number. And reading pauses where the lines of blocked keys
/// already fill the workers: reading on would only lengthen them.
///
/// Not thread-safe: confine it to one queue.
public struct DeliveryMachine: ~Copyable {
    var settings: DeliverySettings
    var generator: SeededGenerator
    var destinations: [DestinationID: DestinationState] = [:]
    /// In the order in which they were opened.
    var all: [DestinationState] = []
    var schedule = Schedule()
    var endpoints: [String: Gate] = [:]
    var identities: [PlacedIdentity: Gate] = [:]
    /// Identities of which there are no credentials, and why; `nil`: they are being got.
    var withoutCredentials: [String: Fault?] = [:]
    var attempts: [AttemptID: Attempt] = [:]
    var sickAttempts = 0
    /// Those of destinations that are late, and of those that were never tried.
    var lateAttempts = 0
    var untriedAttempts = 0
    var nextAttempt: UInt64 = 1
    let ledger = MemoryLedger()
    /// Destinations that hold payloads, or are about to.
    var activeCount = 0
    /// Of 1 000 destinations with a steady flow each sends once a second. A request of its own costs an event some 200 µs
    /// of processor time, one among hundreds 5 µs.
    static let spacingOfEach = Duration.milliseconds(1)
    var stuckChanges: [(id: DestinationID, isStuck: Bool)] = []
    /// When memory may be taken back again from who cannot use it.
    var reclaimsAt = Instant.zero
    var actions: [DeliveryAction] = []
    /// Something was to be sent and was not: to be planned again at once.
    var isUnfinished = false
    public internal(set) var isStopping = false
    /// What planning has cost since the start, for those who judge it: destinations that were looked at, and keys and
    /// events that were gone through to forget some.
    public internal(set) var work = 0

    /// A request under way.
    struct Attempt {
        let destination: DestinationState
        let items: [Item]
        /// Which of `items` each record carries.
        let shape: RecordShape
        let began: Instant
        /// What it tests, where it looks for the record that Kinesis refuses.
        let group: Isolation.Group?
        /// Something it depends on was shut when it began, or not known to work.
        let isSick: Bool
        let isUntried: Bool
        /// Those that it passed, which may not be its destination's any more.
        let gates: [Gate]
        /// Where in the hash space each record goes; empty where nobody asked.
        let points: [UInt128]
        /// Data and keys.
        let bytes: Int
        var isCancelled = false
        /// Was without an answer for so long that it may hang.
        var isOutwaited = false
    }

    public init(settings: DeliverySettings, seed: UInt64) {
        self.settings = settings
        self.generator = SeededGenerator(seed: seed)
    }

    deinit {
        // Gates and destinations hold each other.
        for gate in Array(endpoints.values) + Array(identities.values) + all.map(\.gate) {
            gate.close()
        }
    }

    // MARK: What it hears

    /// A destination is there, perhaps with a backlog.
    ///
    /// - Parameter lastCommitted: The highest id that the destination has in the file; ``EventID/zero``: none.
    public mutating func opened(
        _ id: DestinationID,
        _ destination: Destination,
        settings: DestinationSettings,
        isPaused: Bool = false,
        lastCommitted: EventID = .zero
    ) {
        guard destinations[id] == nil else { return changed(id, settings: settings) }
        let state = DestinationState(
            id: id,
            destination: destination,
            settings: settings,
            isPaused: isPaused,
            lastCommitted: lastCommitted,
            endpoint: endpoint(settings.endpoint),
            identity: identity(of: destination, settings),
            ledger: ledger
        )
        destinations[id] = state
        all.append(state)
        state.endpoint.dependents.append(state)
        state.identity.dependents.append(state)
        schedule.touch(state)
    }

    /// The settings of a destination are others now.
    public mutating func changed(_ id: DestinationID, settings: DestinationSettings) {
        guard let state = destinations[id] else { return }
        let wasOrdering = state.settings.ordering
        let mayBeLarger = settings.maxRecordBytes > state.settings.maxRecordBytes
        state.settings = settings
        for gate in [state.endpoint, state.identity] { gate.dependents.removeAll { $0 === state } }
        state.endpoint = endpoint(settings.endpoint)
        state.identity = identity(of: state.destination, settings)
        for gate in [state.endpoint, state.identity] { gate.dependents.append(state) }
        // The lines were built under the other rule; what was too large is read again.
        if wasOrdering != settings.ordering || settings.parkedBecause != nil
            || mayBeLarger && !state.oversize.isEmpty
        {
            state.giveBack()
        }
        schedule.touch(state)
    }

    public mutating func changed(settings: DeliverySettings) {
        self.settings = settings
        touchAll()
    }

    private mutating func touchAll() { for state in all { schedule.touch(state) } }

    /// A commit was made. To be told of every commit, in their order.
    ///
    /// - Parameter handsOver: Whether the commit has all its events. Where it does not, the last one of each
    ///   destination stands for them, and they are read from the file.
    public mutating func committed(_ commit: Commit, handsOver: Bool = true, now: Instant) {
        for removal in commit.removed {
            guard let state = destinations[removal.destination] else { continue }
            state.goneThrough = max(state.goneThrough, removal.through)
            state.forgetRemovedSuspects()
            if !state.oversize.isEmpty { state.forgetRemovedOversize() }
            schedule.touch(state)
        }
        for settlement in commit.settled { settled(settlement) }
        for letter in commit.deadLettered {
            guard let state = destinations[letter.destination], let key = state.dying.removeValue(forKey: letter.id)
            else { continue }
            state.outstanding -= 1
            if !key.isNone { state.release(key) }
            schedule.touch(state)
        }
        let budget = budget
        for appended in commit.appended {
            guard let state = destinations[appended.destination] else { continue }
            let room = handsOver ? room(of: state, budget: budget) : 0
            state.feed(appended.events, room: room)
            schedule.touch(state)
            if let last = appended.events.last?.id, !commit.awaited.isEmpty { state.hurryThrough = last }
        }
    }

    private mutating func settled(_ settlement: Settlement) {
        guard let state = destinations[settlement.destination], let first = settlement.ids.first,
            let keys = state.settling.removeValue(forKey: first)
        else { return }
        state.outstanding -= keys.count
        schedule.touch(state)
        guard !state.keys.isEmpty else { return }
        for key in keys where !key.isNone { state.release(key) }
    }

    /// A load was answered.
    public mutating func loaded(_ result: LoadedEvents, now: Instant) {
        guard let state = destinations[result.destination] else { return }
        schedule.touch(state)
        for id in state.loaded(result, share: share) {
            actions.append(
                .deadLetter(
                    DeadLetter(
                        destination: state.id,
                        id: id,
                        code: "checksum",
                        reason: "The stored event does not match its checksum: the disk or the file was damaged."
                    )
                )
            )
        }
    }

    /// A load could not be made: it is asked for again a second later.
    public mutating func loadFailed(_ destination: DestinationID, now: Instant) {
        guard let state = destinations[destination] else { return }
        state.loadFailed(retryAt: now + Backoff.throttled.base)
        schedule.touch(state)
    }

    public mutating func paused(_ id: DestinationID) {
        guard let state = destinations[id], !state.isPaused else { return }
        state.isPaused = true
        state.giveBack()
        schedule.touch(state)
    }

    public mutating func resumed(_ id: DestinationID) {
        guard let state = destinations[id] else { return }
        state.isPaused = false
        schedule.touch(state)
    }

    /// Sends what is there without linger, and probes what is sick at once.
    public mutating func flush(now: Instant) {
        hurry()
        for state in all {
            for gate in state.gates { probeNow(gate, now) }
        }
    }

    /// Sends what is there without linger.
    public mutating func hurry() {
        for state in all { state.hurryThrough = state.lastCommitted }
        touchAll()
    }

    /// Sends and loads nothing more; requests under way may still be answered, settled and dead-lettered.
    public mutating func stop() {
        isStopping = true
        for state in all { state.pendingLoad?.isVoid = true }
    }

    // MARK: What it can be asked

    /// Requests under way.
    public var requestsInFlight: Int { attempts.count }

    /// Payload bytes in memory.
    public var memoryBytes: Int { ledger.held }

    /// Blocked events that are remembered one by one, over all destinations.
    public var references: Int { all.reduce(0) { $0 + $1.waitingCount } }

    /// Nothing is left to do for any committed event, whatever the gates.
    public var isDrained: Bool { all.allSatisfy(\.isDrained) }

    // MARK: Shared

    private mutating func endpoint(_ name: String) -> Gate {
        if let gate = endpoints[name] { return gate }
        let gate = Gate(window: Gate.widest)
        endpoints[name] = gate
        return gate
    }

    /// What one destination may hold in memory…
    var budget: Int { max(64 << 10, share) }

    /// …which is an equal part, with one part to spare for whoever comes next; more, where others leave much of theirs.
    var share: Int { max(settings.memoryBytes / max(2, activeCount + 1), free / 2) }

    var free: Int { settings.memoryBytes - ledger.held - ledger.reserved }

    func room(of state: DestinationState, budget: Int) -> Int { min(budget - state.held, free) }
}
