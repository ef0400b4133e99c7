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
/// one is under way: a Kinesis that answers quickly would else get one small request for each commit. And reading
/// pauses where the lines of blocked keys already fill the workers: reading on would only lengthen them.
///
/// Not thread-safe: confine it to one queue.
public struct DeliveryMachine: ~Copyable {
    var settings: DeliverySettings
    var generator: SeededGenerator
    var destinations: [DestinationID: DestinationState] = [:]
    /// In the order in which they take turns.
    var turns: [DestinationState] = []
    /// Whose turn it is next among those of a standing.
    var turn: [Standing: Int] = [:]
    var endpoints: [String: Gate] = [:]
    var identities: [String: Gate] = [:]
    var attempts: [AttemptID: Attempt] = [:]
    var sickAttempts = 0
    /// Those of destinations that are late, and of those that were never tried.
    var lateAttempts = 0
    var untriedAttempts = 0
    var nextAttempt: UInt64 = 1
    let ledger = MemoryLedger()
    var actions: [DeliveryAction] = []
    public internal(set) var isStopping = false

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
        var isCancelled = false
        /// Was without an answer for so long that it may hang.
        var isOutwaited = false
    }

    public init(settings: DeliverySettings, seed: UInt64) {
        self.settings = settings
        self.generator = SeededGenerator(seed: seed)
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
            identity: identity(settings.identity),
            ledger: ledger
        )
        destinations[id] = state
        turns.append(state)
    }

    /// The settings of a destination are others now.
    public mutating func changed(_ id: DestinationID, settings: DestinationSettings) {
        guard let state = destinations[id] else { return }
        let wasOrdering = state.settings.ordering
        state.settings = settings
        state.endpoint = endpoint(settings.endpoint)
        state.identity = identity(settings.identity)
        // The lines were built under the other rule.
        if wasOrdering != settings.ordering || settings.parkedBecause != nil { state.giveBack() }
    }

    public mutating func changed(settings: DeliverySettings) { self.settings = settings }

    /// A commit was made. To be told of every commit, in their order.
    ///
    /// - Parameter handsOver: Whether the commit has all its events. Where it does not, the last one of each
    ///   destination stands for them, and they are read from the file.
    public mutating func committed(_ commit: Commit, handsOver: Bool = true, now: Instant) {
        for removal in commit.removed {
            guard let state = destinations[removal.destination] else { continue }
            state.goneThrough = max(state.goneThrough, removal.through)
            state.forgetRemovedSuspects()
        }
        for settlement in commit.settled { settled(settlement) }
        for letter in commit.deadLettered {
            guard let state = destinations[letter.destination], let key = state.dying.removeValue(forKey: letter.id)
            else { continue }
            state.outstanding -= 1
            if !key.isNone { state.release(key) }
        }
        let budget = budget
        for appended in commit.appended {
            guard let state = destinations[appended.destination] else { continue }
            let room = handsOver ? room(of: state, budget: budget) : 0
            state.feed(appended.events, room: room)
            if let last = appended.events.last?.id, !commit.awaited.isEmpty { state.hurryThrough = last }
        }
    }

    private mutating func settled(_ settlement: Settlement) {
        guard let state = destinations[settlement.destination], let first = settlement.ids.first,
            let keys = state.settling.removeValue(forKey: first)
        else { return }
        state.outstanding -= keys.count
        guard !state.keys.isEmpty else { return }
        for key in keys where !key.isNone { state.release(key) }
    }

    /// A load was answered.
    public mutating func loaded(_ result: LoadedEvents, now: Instant) {
        guard let state = destinations[result.destination] else { return }
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
        destinations[destination]?.loadFailed(retryAt: now + Backoff.throttled.base)
    }

    public mutating func paused(_ id: DestinationID) {
        guard let state = destinations[id], !state.isPaused else { return }
        state.isPaused = true
        state.giveBack()
    }

    public mutating func resumed(_ id: DestinationID) { destinations[id]?.isPaused = false }

    /// Sends what is there without linger, and probes what is sick at once.
    public mutating func flush(now: Instant) {
        hurry()
        for state in turns {
            for gate in state.gates { gate.probeNow(now) }
        }
    }

    /// Sends what is there without linger.
    public mutating func hurry() {
        for state in turns { state.hurryThrough = state.lastCommitted }
    }

    /// The credentials of an identity changed: what was refused with the old ones may pass now.
    public mutating func credentialsChanged(identity name: String, now: Instant) {
        identities[name]?.probeNow(now)
        for state in turns where state.identity === identities[name] { state.gate.probeNow(now) }
    }

    /// Sends and loads nothing more; requests under way may still be answered, settled and dead-lettered.
    public mutating func stop() {
        isStopping = true
        for state in turns { state.pendingLoad?.isVoid = true }
    }

    // MARK: What it can be asked

    /// Requests under way.
    public var requestsInFlight: Int { attempts.count }

    /// Payload bytes in memory.
    public var memoryBytes: Int { ledger.held }

    /// Blocked events that are remembered one by one, over all destinations.
    public var references: Int { turns.reduce(0) { $0 + $1.waitingCount } }

    /// Nothing is left to do for any committed event, whatever the gates.
    public var isDrained: Bool { turns.allSatisfy(\.isDrained) }

    // MARK: Shared

    private mutating func endpoint(_ name: String) -> Gate {
        if let gate = endpoints[name] { return gate }
        let gate = Gate(window: Gate.widest)
        endpoints[name] = gate
        return gate
    }

    private mutating func identity(_ name: String) -> Gate {
        if let gate = identities[name] { return gate }
        let gate = Gate(window: Gate.widest)
        identities[name] = gate
        return gate
    }

    /// What one destination may hold in memory…
    var budget: Int { max(64 << 10, share) }

    /// …which is an equal part, with one part to spare for whoever comes next; more, where others leave much of theirs.
    var share: Int {
        let active = turns.reduce(0) {
            $0 + ($1.held > 0 || !$1.isDormant && !$1.isRead ? 1 : 0)
        }
        let free = settings.memoryBytes - ledger.held - ledger.reserved
        return max(settings.memoryBytes / max(2, active + 1), free / 2)
    }

    func room(of state: DestinationState, budget: Int) -> Int {
        min(budget - state.held, settings.memoryBytes - ledger.held - ledger.reserved)
    }
}
