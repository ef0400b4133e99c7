// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// Reading the file, without ever missing an event or meeting one twice:
//
// - Commits reach the machine in order. Only a destination that is caught up (everything committed was read, and no
//   load is under way) takes events from a commit directly; otherwise the commit only raises `lastCommitted`.
// - One load of a destination is under way at a time. A scan begins after `readThrough`, which is above every event
//   that was ever taken in, so nothing that is outstanding or settled can be met. Its `through` comes from the same
//   snapshot as its events.
// - A spilled lane is read apart, from its own point, and only while no key of it has an event under way.
// - When memory is given back, reading starts again from the oldest event, once nothing is outstanding: then all
//   that is in the file is to be sent.

/// A load that was asked for and not yet answered.
struct PendingLoad {
    enum Kind {
        case scan
        case lanes(LaneSet)
        /// The heads of the keys' lines, and some that follow them.
        case fetch([(key: EventKey, ids: [EventID])])
    }

    let kind: Kind
    /// What it may bring, for which room is kept.
    let bytes: Int
    /// Memory was given back meanwhile: its events are not wanted.
    var isVoid = false
    /// One event may be larger than all that it has room for.
    var mayExceed = false

    var isFetch: Bool { if case .fetch = kind { true } else { false } }
}

extension DestinationState {
    /// A destination with fewer fresh events than this reads on.
    private static let lowWater = 1500
    private static let eventsPerScan = 2000
    private static let keysEnough = 256
    private static let bytesPerLoad = 1 << 20
    /// So many blocked events a destination may remember whatever others do.
    static let alwaysRemembered = 16
    private static let eventsPerProbe = 10
    private static let bytesPerProbe = 64 << 10
    private static let eventsPerFetch = 500
    /// Of one key's line, how many are fetched together.
    private static let runPerFetch = 16

    // MARK: Coming in

    /// Takes events of a commit where the destination is caught up and has room; else leaves them to a load.
    func feed(_ events: [StoredEvent], room: Int) {
        guard let first = events.first?.id, let last = events.last?.id, last > lastCommitted else { return }
        // A load may have met the commit before its report came here.
        let isNext = isCaughtUp && first > readThrough
        lastCommitted = last
        guard isNext, !isDormant else { return }
        var bytes = 0
        for i in events.indices { bytes += events[i].recordBytes + Item.overhead }
        guard bytes <= room else { return }
        grant = held + room
        readThrough = last
        take(events)
    }

    private func take(_ events: [StoredEvent]) {
        let spilled = lanes?.spilled ?? LaneSet()
        var bytes = 0
        let before = fresh.count
        fresh.reserveCapacity(before + events.count)
        // By index, and counted once: this is where every event passes.
        for i in events.indices where events[i].id > goneThrough {
            if !spilled.isEmpty, !events[i].key.isNone, spilled.contains(events[i].key.lane) { continue }
            bytes += events[i].recordBytes
            fresh.append(Item(events[i]))
        }
        freshBytes += bytes
        charge(bytes + (fresh.count - before) * Item.overhead)
    }

    // MARK: Loading

    /// The load that is wanted next, if any; it counts as under way. To be asked for only where
    /// ``wantsLoad(mostReferences:isProbe:now:)`` says so.
    ///
    /// - Parameter share: What it may hold by rights, in bytes; `room` may be less, as others hold more than theirs.
    ///   `mayOverdraw`: Whether it may read one event beyond that, so that it does not stand still.
    func nextLoad(
        room: Int,
        share: Int,
        mostReferences: Int,
        isProbe: Bool,
        mayOverdraw: Bool,
        now: Instant
    ) -> LoadRequest? {
        guard pendingLoad == nil, !isStopped, now >= loadsAgainAt else { return nil }
        let (before, least) = (held, min(Self.bytesPerProbe, share / 4))
        self.mayOverdraw = mayOverdraw
        let load = wantedLoad(room: room, share: share, mostReferences: mostReferences, isProbe: isProbe, now: now)
        guard load != nil else { return nil }
        grant = held + room
        if room < least { overdrawnAbove = min(before, held) }
        return load
    }

    private func wantedLoad(
        room: Int,
        share: Int,
        mostReferences: Int,
        isProbe: Bool,
        now: Instant
    ) -> LoadRequest? {
        if needsRescan { startOver() }
        if isProbe {
            if remembersOnly {
                giveBack()
                startOver()
            }
            guard isIdle, isolation.isEmpty, readThrough < lastCommitted, room > 0 || mayOverdraw else { return nil }
            return scan(room: min(room, Self.bytesPerProbe), mostEvents: Self.eventsPerProbe)
        }
        if !lastLoadWasFetch || readThrough >= lastCommitted, let fetch = nextFetch(room: room) { return fetch }
        lastLoadWasFetch = false
        guard room >= min(Self.bytesPerProbe, share / 4) || mayAlwaysLoad else { return nextFetch(room: room) }
        if let (lanes, after) = readableLanes(mostReferences: mostReferences, now: now) {
            let what = LoadRequest.What.scan(after: after, skipping: LaneSet(), only: lanes)
            // No more than may be remembered, should all of them have to wait: else they would be forgotten at once.
            let most = max(1, min(Self.eventsPerFetch, mostReferences - waitingCount))
            return load(.lanes(lanes), what, room: min(room, Self.bytesPerLoad), mostEvents: most)
        }
        if wantsScan(mostReferences: mostReferences, now: now) {
            return scan(room: min(room, Self.bytesPerLoad), mostEvents: Self.eventsPerScan)
        }
        return nextFetch(room: room)
    }

    /// Whether something is to be read as soon as there is room for it.
    func wantsLoad(mostReferences: Int, isProbe: Bool, now: Instant) -> Bool {
        guard pendingLoad == nil, !isStopped, now >= loadsAgainAt else { return false }
        if needsRescan { return outstanding == 0 }
        if isProbe { return remembersOnly || isIdle && isolation.isEmpty && readThrough < lastCommitted }
        return !fetchQueue.isEmpty || wantsScan(mostReferences: mostReferences, now: now)
            || readableLanes(mostReferences: mostReferences, now: now) != nil
    }

    private func wantsScan(mostReferences: Int, now: Instant) -> Bool {
        readThrough < lastCommitted && fresh.count + (throttle?.loose.count ?? 0) < Self.lowWater && hasRoomForFailures
            && !hasLinesEnough(mostReferences) && throttle?.isHungry(now: now) ?? true
    }

    /// Spilled lanes are read where their events could go. Not where they would only be spilled again.
    private func readableLanes(mostReferences: Int, now: Instant) -> (lanes: LaneSet, after: EventID)? {
        guard let lanes, !lanes.spilled.isEmpty, waitingCount <= mostReferences / 4 * 3 else { return nil }
        // All destinations together have a bound too, beyond which lanes are spilled of those that remember some.
        guard ledger.references < 3 * mostReferences || waitingCount <= Self.alwaysRemembered / 2 else { return nil }
        guard let throttle else { return lanes.readable { _ in true } }
        return lanes.readable { throttle.isHungry($0, now: now) }
    }

    /// Whether what is blocked comes free by itself, in lines of many keys: then reading on would only lengthen the
    /// lines. (Keys that back off do not count: others are to be found behind them.)
    private func hasLinesEnough(_ mostReferences: Int) -> Bool {
        waitingCount >= mostReferences / 4 && keys.count - timers.count >= Self.keysEnough
    }

    /// Whether it may load one event however little room there is: what it holds waits for nothing but that, or for the
    /// end of a fault.
    private var mayAlwaysLoad: Bool {
        mayOverdraw
            && (held == 0
                || !hasWaitingForShards && fresh.isEmpty && urgent.isEmpty && timers.isEmpty && requests == 0
                    && !isolation.hasGroup && isolation.suspects.count < Isolation.mostSuspects)
    }

    /// Payloads are here that go as soon as their shard takes them.
    private var hasWaitingForShards: Bool {
        guard let throttle else { return false }
        return !throttle.loose.isEmpty || waitingBytes > 0 && throttle.holds
    }

    /// All that is left are references and spilled lanes: no probe can be made of them.
    private var remembersOnly: Bool {
        fresh.isEmpty && urgent.isEmpty && timers.isEmpty && isolation.isEmpty && outstanding == 0
            && (waitingCount > 0 || lanes?.spilled.isEmpty == false)
    }

    private func scan(room: Int, mostEvents: Int) -> LoadRequest {
        let what = LoadRequest.What.scan(after: readThrough, skipping: lanes?.spilled ?? LaneSet(), only: nil)
        return load(.scan, what, room: room, mostEvents: mostEvents)
    }

    /// A load that fits into `room` with what each event takes besides its bytes; one event, where there is no room.
    private func load(_ kind: PendingLoad.Kind, _ what: LoadRequest.What, room: Int, mostEvents: Int) -> LoadRequest {
        let events = max(1, min(mostEvents, room / 256))
        begin(kind, bytes: max(1, room))
        return LoadRequest(
            destination: id,
            what: what,
            maxEvents: events,
            maxBytes: max(1, room - events * Item.overhead)
        )
    }

    private func nextFetch(room: Int) -> LoadRequest? {
        guard !fetchQueue.isEmpty, room > 0 || mayAlwaysLoad else { return nil }
        var wanted: [(key: EventKey, ids: [EventID])] = []
        var ids: [EventID] = []
        var bytes = 0
        let run = fetchQueue.count > 32 ? 1 : Self.runPerFetch
        while ids.count < Self.eventsPerFetch, let key = fetchQueue.first {
            guard let line = keys[key]?.waiting, keys[key]?.phase == .fetching, line.first?.data == nil else {
                fetchQueue.removeFirst()
                if keys[key]?.phase == .fetching { promote(key) }
                continue
            }
            var some: [EventID] = []
            for item in line.prefix(run) where item.data == nil {
                if !ids.isEmpty || !some.isEmpty, bytes + item.recordBytes + Item.overhead > room { break }
                bytes += item.recordBytes + Item.overhead
                some.append(item.id)
            }
            if some.isEmpty { break }
            fetchQueue.removeFirst()
            wanted.append((key, some))
            ids += some
        }
        guard !ids.isEmpty else { return nil }
        ids.sort()
        begin(.fetch(wanted), bytes: bytes)
        lastLoadWasFetch = true
        return LoadRequest(destination: id, what: .events(ids), maxEvents: ids.count, maxBytes: .max)
    }

    private func begin(_ kind: PendingLoad.Kind, bytes: Int) {
        var load = PendingLoad(kind: kind, bytes: bytes)
        load.mayExceed = !load.isFetch && bytes < settings.maxRecordBytes
        pendingLoad = load
        ledger.reserved += bytes
        if load.mayExceed { ledger.mayExceed += 1 }
    }

    private func endLoad() -> PendingLoad? {
        guard let load = pendingLoad else { return nil }
        pendingLoad = nil
        ledger.reserved -= load.bytes
        if load.mayExceed { ledger.mayExceed -= 1 }
        return load
    }

    // MARK: Loaded

    /// - Returns: Events that are damaged, and are now outstanding as dead letters to be.
    func loaded(_ result: LoadedEvents, share: Int) -> [EventID] {
        guard let load = endLoad() else { return [] }
        guard !load.isVoid else { return [] }
        switch load.kind {
        case .scan:
            take(result.events)
            readThrough = max(readThrough, result.through)
            return bury(result.damaged)
        case .lanes(let lanes):
            takeLanes(lanes, result, share: share)
            return bury(result.damaged)
        case .fetch(let wanted):
            return takeFetched(wanted, result)
        }
    }

    func loadFailed(retryAt: Instant) {
        guard let load = endLoad() else { return }
        loadsAgainAt = retryAt
        guard !load.isVoid, case .fetch(let wanted) = load.kind else { return }
        for (key, _) in wanted.reversed() { fetchQueue.prepend(key) }
    }

    /// Damaged events have no key that could be trusted: they go to the dead letters by their ids alone.
    private func bury(_ ids: [EventID]) -> [EventID] {
        let new = ids.filter { dying[$0] == nil && $0 > goneThrough }
        for id in new { dying[id] = EventKey.none }
        outstanding += new.count
        return new
    }

    private func takeLanes(_ lanes: LaneSet, _ result: LoadedEvents, share: Int) {
        // What lies above `readThrough` comes with the next scan, or by commit.
        for event in result.events where event.id > goneThrough && event.id <= readThrough && !event.key.isNone {
            guard self.lanes?.isNew(event.id, in: event.key.lane) == true else { continue }
            let item = Item(event)
            charge(item.cost)
            if keys[item.key] != nil {
                hold(item, share: share)
            } else if throttle == nil || !gate(item, at: item.key.hashPoint, share: share) {
                addKey(item.key, .queued)
                urgent.append(item)
            }
        }
        self.lanes?.wasRead(lanes, through: result.through, readThrough: readThrough)
    }

    private func takeFetched(_ wanted: [(key: EventKey, ids: [EventID])], _ result: LoadedEvents) -> [EventID] {
        var found: [EventID: Payload] = [:]
        for event in result.events { found[event.id] = event.data }
        let damaged = Set(result.damaged)
        var dead: [EventID] = []
        for (key, ids) in wanted {
            guard var line = keys[key]?.waiting else { continue }
            // By id: meanwhile others may have come back to the front of the line.
            var left = ids.count
            var kept: Deque<Item> = []
            while left > 0, var item = line.popFirst() {
                if item.data == nil, ids.contains(item.id) {
                    left -= 1
                    guard let data = found[item.id] else {
                        // Gone by a limit since, or damaged: either way it leaves the line.
                        waitingCount -= 1
                        if let lane = keys[key]?.lane { lanes?.waiting[Int(lane)] -= 1 }
                        if damaged.contains(item.id) { dead.append(item.id) }
                        continue
                    }
                    item.data = data
                    charge(item.cost)
                    waitingBytes += item.cost
                }
                kept.append(item)
            }
            kept.append(contentsOf: line)
            keys[key]?.waiting = kept
            if keys[key]?.phase == .fetching { promote(key) }
        }
        return bury(dead)
    }
}
