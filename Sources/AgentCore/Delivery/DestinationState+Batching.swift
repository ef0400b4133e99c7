// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

/// What a destination would send next.
struct Draft {
    private(set) var items: [Item] = []
    private(set) var bytes = 0
    /// Which of `items` each record carries.
    var shape: RecordShape { RecordShape(oneEach: items.count) }
    /// What it tests, where it looks for the record that Kinesis refuses.
    private(set) var group: Isolation.Group?
    /// Where in the hash space each record goes; empty where nobody asks.
    var points: [UInt128] = []
    /// Partition keys that were chosen for events without one.
    var ownKeys: [EventID: String] = [:]

    init(room: Int) { items.reserveCapacity(room) }

    init(_ group: Isolation.Group) {
        items = group.items
        self.group = group
    }

    mutating func add(_ item: Item) {
        items.append(item)
        bytes += item.recordBytes
    }

    /// Whether the event may go with those that are there. One may go alone, however large.
    func fits(_ item: Item, mostBytes: Int) -> Bool {
        items.isEmpty || bytes + item.recordBytes <= mostBytes
    }
}

extension DestinationState {
    /// Events and bytes from which a batch is full.
    func isFull(_ limits: DeliverySettings) -> Bool {
        fresh.count + urgent.count >= batchLimit.mostRecords(KinesisLimits.recordsPerRequest)
            || freshBytes >= batchLimit.mostBytes(limits.maxBatchBytes)
    }

    /// Whether there is something to send, were all gates open; else when time alone brings something.
    ///
    /// Requests that are not full begin no closer together than the linger, so that the first event after a pause goes
    /// at once, and a steady flow travels in few requests. What is tried again, somebody waits for, or has its key's
    /// line behind it, does not linger.
    ///
    /// - Parameter spacing: What the linger is among so many destinations, for one of which all was read: where more
    ///   waits on the disk, memory holds less than a request, and nothing is gained by waiting.
    func readiness(now: Instant, limits: DeliverySettings, spacing: Duration) -> (isReady: Bool, readyAt: Instant) {
        if isPressed || isolation.hasGroup { return (true, now) }
        // While nothing else can prove anything, suspects are tried again whenever the gate lets a probe through.
        if oldestReady == nil, gate.isShut, isolation.isExhausted { return (true, now) }
        var due = Instant.never
        if let first = oldestReady {
            if first <= hurryThrough || isFull(limits) { return (true, now) }
            due = now
        }
        if throttle != nil { due = min(due, releasesAt(now: now)) }
        guard due < .never else { return (false, .never) }
        if let lastRequestAt { due = max(due, lastRequestAt + (isRead ? spacing : limits.linger)) }
        return (due <= now, due)
    }

    private var oldestReady: EventID? {
        let fresh = hasRoomForFailures ? fresh.first?.id : nil
        guard let urgent = urgent.first?.id, let fresh else { return urgent.first?.id ?? fresh }
        return min(urgent, fresh)
    }

    /// Whether fewer heads of keys back off than may: only then are others tried.
    var hasRoomForFailures: Bool { timers.count < Self.mostTimers }

    /// Heads of keys that back off cannot be forgotten, as each has a time of its own.
    static var mostTimers: Int { 4096 }

    /// Takes the next batch out of the lines: urgent events first, then those that waited for their shard, then fresh
    /// ones; at most one event of an ordered key. May come back empty, when all that was met is blocked.
    func draft(
        limits: DeliverySettings,
        share: Int,
        mostEvents: Int,
        context: inout DraftContext
    ) -> Draft {
        if let group = isolation.takeGroup(alone: mostEvents == 1) { return Draft(group) }
        let most = batchLimit.mostRecords(min(mostEvents, KinesisLimits.recordsPerRequest))
        let draft = draftOfLines(
            most: most,
            mostBytes: batchLimit.mostBytes(limits.maxBatchBytes),
            share: share,
            context: &context
        )
        if draft.items.isEmpty, gate.isShut, isolation.isExhausted, let suspect = isolation.takeSuspect() {
            return Draft(suspect)
        }
        return draft
    }

    private func draftOfLines(most: Int, mostBytes: Int, share: Int, context: inout DraftContext) -> Draft {
        var draft = Draft(room: min(most, urgent.count + fresh.count))
        // Taken once: it is asked for with each event.
        let isThrottled = throttle != nil

        while draft.items.count < most, let item = urgent.first {
            if item.id > goneThrough, !draft.fits(item, mostBytes: mostBytes) { return draft }
            urgent.removeFirst()
            // Of an unordered key, another event may be backing off meanwhile.
            if !item.key.isNone { setPhase(of: item.key, from: .queued, to: .held) }
            if item.id <= goneThrough {
                drop(item)
            } else if item.recordBytes > settings.maxRecordBytes {
                keep(item)
            } else if !isThrottled {
                draft.add(item)
            } else if !item.key.isNone {
                add(item, at: item.key.hashPoint, context, &draft)
            } else if !place(item, &context, &draft) {
                throttle?.loose.append(item.compacted)
            }
        }
        if urgent.isEmpty { isPressed = false }
        if isThrottled {
            takeGated(most: most, mostBytes: mostBytes, &context, &draft)
        }
        guard hasRoomForFailures else { return draft }
        while draft.items.count < most, let item = fresh.popFirst() {
            let recordBytes = item.recordBytes
            if item.id <= goneThrough {
                forgetPayload(item)
            } else if isThrottled {
                guard takeThrottled(item, mostBytes: mostBytes, share: share, &context, &draft) else {
                    fresh.prepend(item)
                    break
                }
            } else if isOrdered(item.key), draft.fits(item, mostBytes: mostBytes) {
                if claim(item.key) { addChecked(item, &draft) } else { hold(item, share: share) }
            } else if !item.key.isNone, !keys.isEmpty, keys.index(forKey: item.key) != nil {
                hold(item, share: share)
            } else if draft.fits(item, mostBytes: mostBytes) {
                addChecked(item, &draft)
            } else {
                fresh.prepend(item)
                break
            }
            freshBytes -= recordBytes
        }
        if fresh.isEmpty { freshBytes = 0 }
        return draft
    }

    private func addChecked(_ item: Item, _ draft: inout Draft) {
        if item.recordBytes > settings.maxRecordBytes { keep(item) } else { draft.add(item) }
    }

    /// - Returns: `false` where the draft has no room for it.
    private func takeThrottled(
        _ item: Item,
        mostBytes: Int,
        share: Int,
        _ context: inout DraftContext,
        _ draft: inout Draft
    ) -> Bool {
        if item.key.isNone {
            guard draft.fits(item, mostBytes: mostBytes) else { return false }
            if !place(item, &context, &draft) { throttle?.loose.append(item.compacted) }
            return true
        }
        if keys.index(forKey: item.key) != nil {
            hold(item, share: share)
            return true
        }
        let point = item.key.hashPoint
        if gate(item, at: point, share: share) { return true }
        guard draft.fits(item, mostBytes: mostBytes) else { return false }
        if isOrdered(item.key) { _ = claim(item.key) }
        add(item, at: point, context, &draft)
        return true
    }

    /// Sets an event aside that is larger than the settings allow: it was taken under others. Its key waits with it.
    func keep(_ item: Item) {
        forgetPayload(item)
        oversize[item.id] = item.key
        outstanding += 1
    }

    /// Lets go of those set aside that a limit removed.
    func forgetRemovedOversize() {
        for (id, key) in oversize where id <= goneThrough {
            oversize[id] = nil
            outstanding -= 1
            if !key.isNone { release(key) }
        }
    }
}
