// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

/// Payload bytes held by all destinations together.
final class MemoryLedger {
    // Not checked for overlapping access: see `DestinationState.fresh`.
    @exclusivity(unchecked) var held = 0
    /// Room kept for loads under way.
    var reserved = 0
    /// Loads under way of which one event may take more room than was kept.
    var mayExceed = 0
    /// Blocked events that are remembered one by one.
    var references = 0
    /// Destinations that hold an event beyond all limits, so that they do not stand still.
    var overdrafts = 0
    /// Destinations whose events do not flow, and that hold what a probe is made of.
    var probes = 0
}

/// How much may be entrusted to a destination.
enum Standing {
    case well
    /// It was not heard of for some time, so that a request of it may hang. One answer makes it well.
    case late
    /// Nothing was ever heard of it.
    case untried
    case sick
}

private typealias KeyIndex = Dictionary<EventKey, KeyState>.Index

/// One destination's events: which are here, which are blocked behind their key, and how far the file is read.
///
/// Events come in by ``feed(_:room:)`` and loads, wait in `fresh`, go into a batch, and from there are settled,
/// die, or come back. A keyed event that is met while its key is busy moves to the key's own line; when the key comes
/// free, the first of that line becomes `urgent`.
final class DestinationState {
    let id: DestinationID
    let destination: Destination
    var settings: DestinationSettings
    let gate = Gate()
    var endpoint: Gate
    var identity: Gate
    let ledger: MemoryLedger
    var isPaused: Bool

    // How far the file is read: see +Reading.
    /// The highest id that a commit reported.
    var lastCommitted: EventID
    /// Every event up to here is in memory, in a spilled lane, or done. Beyond it, nothing is known.
    var readThrough = EventID.zero
    /// The oldest events, up to here, were removed by a limit.
    var goneThrough = EventID.zero
    var pendingLoad: PendingLoad?
    /// After a load failed.
    var loadsAgainAt = Instant.zero
    /// Memory was given back: once nothing is outstanding, reading starts again from the oldest event.
    var needsRescan = false
    var fetchQueue: Deque<EventKey> = []
    var lastLoadWasFetch = false
    var mayOverdraw = true
    @exclusivity(unchecked) var lanes: LaneTable?
    /// An unordered destination with so many blocked events that it is handled like an ordered one until it is empty.
    var isCrowded = false

    // What is here. What each event passes through is not checked for overlapping access, which would cost more than
    // what is done there: the machine is in one hand at a time, and nothing here calls back.
    @exclusivity(unchecked) var fresh: Deque<Item> = []
    @exclusivity(unchecked) var freshBytes = 0
    /// Heads of keys that came free, and events to be tried again: nothing is to be waited for.
    @exclusivity(unchecked) var urgent: Deque<Item> = []
    /// Some of the urgent ones do not linger.
    @exclusivity(unchecked) var isPressed = false
    /// When the last request began.
    var lastRequestAt: Instant?
    @exclusivity(unchecked) var keys: [EventKey: KeyState] = [:]
    @exclusivity(unchecked) var waitingCount = 0
    @exclusivity(unchecked) var waitingBytes = 0
    var timers: Heap<RetryTimer> = []
    /// Shards that refuse for want of capacity; `nil`: none does. See +Throttling.
    @exclusivity(unchecked) var throttle: Throttle?
    /// Larger than the settings allow a record to be: kept, and not sent, until the settings change.
    var oversize: [EventID: EventKey] = [:]
    var batchLimit = BatchLimit()
    var isolation = Isolation()
    var isolationFault: Fault?
    /// Events up to here go without linger.
    var hurryThrough = EventID.zero

    // What is on its way.
    var requests = 0
    var inFlight = 0
    /// Nothing was heard of it for long, though all was well before.
    var isLate = false
    /// Events in requests, being settled, or becoming dead letters: in the file, and not to be read again.
    var outstanding = 0
    /// The keys of events being settled, by the first id of their settlement.
    var settling: [EventID: [EventKey]] = [:]
    var dying: [EventID: EventKey] = [:]

    // What the schedule notes of it: see Schedule.
    var isTouched = false
    var isHungry = false
    var listedAs: Standing?
    var wakesAt = Instant.never
    var countsAsActive = false
    var countedReferences = 0
    var countsAsProbe = false
    var countsAsOverdrawn = false
    /// It was let read beyond its room when it held so much.
    var overdrawnAbove = Int.max
    var wasStuck = false
    /// The gate among whose waiting ones it is.
    var waitsFor: Gate?

    /// How long the last request took that was answered.
    var answersTake = Duration.zero

    // What is told.
    /// Payload bytes in memory, and how many it was to hold at most when it last took some in.
    @exclusivity(unchecked) var held = 0
    var grant = 0
    var retries = 0
    var throttled = 0
    /// When the latest request began of which Kinesis took a record.
    var provenAt: Instant?
    var lastFault: Fault?

    init(
        id: DestinationID,
        destination: Destination,
        settings: DestinationSettings,
        isPaused: Bool,
        lastCommitted: EventID,
        endpoint: Gate,
        identity: Gate,
        ledger: MemoryLedger
    ) {
        self.id = id
        self.destination = destination
        self.settings = settings
        self.isPaused = isPaused
        self.lastCommitted = lastCommitted
        self.endpoint = endpoint
        self.identity = identity
        self.ledger = ledger
    }

    var gates: [Gate] { [gate, identity, endpoint] }
    var isStopped: Bool { isPaused || settings.parkedBecause != nil }
    /// Not to hold more memory than a probe wants.
    var isDormant: Bool { isStopped || gate.isDormant || endpoint.isDormant || identity.isDormant }
    var isSick: Bool { gate.isSick || endpoint.isSick || identity.isSick }
    /// It holds, or reads, what a probe is made of.
    var isProbing: Bool { !isStopped && isDormant && (held > 0 || pendingLoad != nil) }
    /// All that is here waits for shards.
    var isOnlyGated: Bool { fresh.isEmpty && urgent.isEmpty && timers.isEmpty && isolation.isEmpty }
    /// How long a request may take before it is thought to hang: what is slow is not dead.
    func patience(suspectAfter: Duration) -> Duration { max(suspectAfter, answersTake * 2) }
    /// Whether nothing was heard of it for longer than that.
    func isLate(at now: Instant, suspectAfter: Duration) -> Bool {
        guard let success = gate.lastSuccess else { return false }
        return now - success >= patience(suspectAfter: suspectAfter)
    }
    /// Everything committed was read.
    var isRead: Bool { readThrough >= lastCommitted && !needsRescan }
    var isShut: Bool { gate.isShut || endpoint.isShut || identity.isShut }
    var standing: Standing { isShut ? .sick : isSick ? .untried : isLate ? .late : .well }
    var isCaughtUp: Bool { isRead && pendingLoad == nil }
    var isIdle: Bool {
        fresh.isEmpty && urgent.isEmpty && outstanding == 0 && waitingCount == 0 && timers.isEmpty
            && throttle?.loose.isEmpty ?? true
    }

    /// Nothing more is to be done for any event that was committed.
    var isDrained: Bool { isCaughtUp && isIdle && isolation.isEmpty && lanes?.spilled.isEmpty ?? true }

    /// Nothing is under way or waits to be sent but what Kinesis refused already.
    var hasOnlySuspects: Bool {
        isolation.isExhausted && outstanding == isolation.suspects.count + oversize.count && fresh.isEmpty
            && urgent.isEmpty && timers.isEmpty && pendingLoad == nil && throttle?.loose.isEmpty ?? true
    }

    /// It is parked for the sake of few suspects, and has events that were not tried: one that is accepted settles it.
    var mayProveSuspects: Bool {
        gate.fault?.disposition == .record && (1..<Isolation.mostSuspects).contains(isolation.suspects.count)
            && (!urgent.isEmpty || fresh.contains { $0.key.isNone || keys[$0.key] == nil })
    }

    func charge(_ bytes: Int) {
        held += bytes
        ledger.held += bytes
    }

    // MARK: Keys

    /// Whether events of `key` wait for each other.
    func isOrdered(_ key: EventKey) -> Bool { !key.isNone && (settings.ordering == .key || isCrowded) }

    // Each event passes here a few times, and most of what that costs is to look its key up: so that is done once, and
    // the rest goes by index.

    func addKey(_ key: EventKey, _ phase: KeyState.Phase) {
        let lane = lanes == nil ? 0 : key.lane
        keys[key] = KeyState(phase: phase, lane: lane)
        lanes?.keys[Int(lane)] += 1
    }

    /// Holds `key` for an event that is to be sent; `false` where an event of it is on record already.
    func claim(_ key: EventKey) -> Bool {
        let lane = lanes == nil ? 0 : key.lane
        let before = keys.count
        func insert(_: inout KeyState) {}
        insert(&keys[key, default: KeyState(phase: .held, lane: lane)])
        guard keys.count > before else { return false }
        lanes?.keys[Int(lane)] += 1
        return true
    }

    func removeKey(_ key: EventKey) {
        if let index = keys.index(forKey: key) { removeKey(at: index) }
    }

    private func removeKey(at index: KeyIndex) {
        lanes?.keys[Int(keys.values[index].lane)] -= 1
        keys.remove(at: index)
    }

    func setPhase(of key: EventKey, from: KeyState.Phase, to: KeyState.Phase) {
        guard let index = keys.index(forKey: key), keys.values[index].phase == from else { return }
        keys.values[index].phase = to
    }

    /// Puts an event at the end of its busy key's line. Its payload stays as long as there is room for it: what was
    /// read beyond the limit, so that something moves, must not gather behind a key that is busy.
    func hold(_ item: Item, share: Int) {
        guard let index = keys.index(forKey: item.key) else { return urgent.append(item) }
        keys.values[index].waiting.append(shed(item, share: share))
        lanes?.waiting[Int(keys.values[index].lane)] += 1
    }

    /// Puts an event back at the front of its key's line.
    func holdFirst(_ item: Item, phase: KeyState.Phase, share: Int) {
        if keys[item.key] == nil { addKey(item.key, phase) }
        guard let lane = keys[item.key]?.lane else { return }
        let item = shed(item, share: share)
        keys[item.key]?.waiting.prepend(item)
        keys[item.key]?.phase = phase
        lanes?.waiting[Int(lane)] += 1
    }

    private func shed(_ item: Item, share: Int) -> Item {
        var item = item
        waitingCount += 1
        if waitingBytes + item.cost > share / 2 || held > grant {
            charge(-item.cost)
            item.data = nil
        } else {
            item.data = item.data?.compacted()
            waitingBytes += item.cost
        }
        return item
    }

    /// The head of `key` is done: its next event may go.
    func release(_ key: EventKey) {
        // Unordered events settle while another event of their key backs off.
        guard let index = keys.index(forKey: key), keys.values[index].phase == .held else { return }
        if keys.values[index].waiting.isEmpty { return removeKey(at: index) }
        promote(at: index)
        if !isOrdered(key) { freeLine(at: index) }
    }

    func promote(_ key: EventKey) {
        if let index = keys.index(forKey: key) { promote(at: index) }
    }

    /// Makes the first of a key's line urgent, or has it fetched where its payload left memory; where its shard takes
    /// no more than so much, it waits for that.
    private func promote(at index: KeyIndex) {
        guard let head = keys.values[index].waiting.first else { return removeKey(at: index) }
        if let throttle, let shard = throttle.limit(of: head.key.hashPoint) {
            // Fetched for it, so it was the first there.
            if keys.values[index].phase == .fetching {
                shard.line.prepend(head.key)
            } else {
                shard.line.append(head.key)
            }
            keys.values[index].phase = .gated
        } else if head.data == nil {
            keys.values[index].phase = .fetching
            fetchQueue.append(head.key)
        } else {
            keys.values[index].phase = .queued
            takeFirst(at: index)
            urgent.append(head)
            // A key that has more events waits a round trip for each: not longer.
            if !keys.values[index].waiting.isEmpty { isPressed = true }
        }
    }

    /// An event of an unordered key that was throttled arrived: those that wait behind it may go all together.
    private func freeLine(at index: KeyIndex) {
        while keys.values[index].phase == .queued, let next = keys.values[index].waiting.first, next.data != nil {
            takeFirst(at: index)
            urgent.append(next)
            isPressed = true
        }
    }

    /// Takes the first event out of the line of a key that waits for its shard, to be sent.
    func takeGated(_ key: EventKey) -> Item? {
        guard let index = keys.index(forKey: key), let head = keys.values[index].waiting.first else { return nil }
        takeFirst(at: index)
        keys.values[index].phase = .held
        return head
    }

    /// Takes the first event out of a key's line.
    private func takeFirst(at index: KeyIndex) {
        guard let head = keys.values[index].waiting.popFirst() else { return }
        waitingCount -= 1
        waitingBytes -= head.cost
        lanes?.waiting[Int(keys.values[index].lane)] -= 1
    }

    // MARK: Coming back

    /// An attempt for the event failed, and `delay` is to pass before the next.
    func retry(_ item: Item, at due: Instant, share: Int) {
        if item.key.isNone {
            timers.insert(RetryTimer(due: due, what: .event(item.compacted)))
        } else if !isOrdered(item.key), let state = keys[item.key], state.phase != .held {
            // Another event of the key failed before.
            hold(item, share: share)
        } else {
            holdFirst(item, phase: .backingOff, share: share)
            timers.insert(RetryTimer(due: due, what: .key(item.key)))
        }
    }

    /// The request failed by no fault of the event: it goes again as soon as requests may.
    func restore(_ item: Item) {
        setPhase(of: item.key, from: .held, to: .queued)
        urgent.append(item.compacted)
        isPressed = true
    }

    func fireTimers(now: Instant) {
        while let timer = timers.min, timer.due <= now {
            timers.removeMin()
            switch timer.what {
            case .event(let item): urgent.append(item)
            case .key(let key): if keys[key]?.phase == .backingOff { promote(key) }
            }
            isPressed = true
        }
    }

    /// The event needs no more memory.
    func forgetPayload(_ item: Item) { charge(-item.cost) }

    /// Lets go of an event that a limit removed before it was sent.
    func drop(_ item: Item) {
        forgetPayload(item)
        if !item.key.isNone { release(item.key) }
    }
}

/// When something that failed may be tried again.
struct RetryTimer: Comparable {
    enum What {
        case key(EventKey)
        /// An event without a key, or of an unordered destination.
        case event(Item)
    }

    let due: Instant
    let what: What

    static func < (a: RetryTimer, b: RetryTimer) -> Bool { a.due < b.due }
    static func == (a: RetryTimer, b: RetryTimer) -> Bool { a.due == b.due }
}
