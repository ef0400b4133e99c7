// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

/// What a destination would send next.
struct Draft {
    var items: [Item] = []
    /// Which of `items` each record carries.
    var shape: RecordShape { RecordShape(oneEach: items.count) }
    /// Events that are too large for the stream: not to be sent at all.
    var oversize: [Item] = []
    /// What it tests, where it looks for the record that Kinesis refuses.
    var group: Isolation.Group?
}

extension DestinationState {
    /// Events and bytes from which a batch is full.
    func isFull(_ limits: DeliverySettings) -> Bool {
        fresh.count + urgent.count >= KinesisLimits.recordsPerRequest || freshBytes >= limits.maxBatchBytes
    }

    /// Whether there is something to send, were all gates open; if it is only lingering, until when.
    ///
    /// Requests that are not full begin no closer together than the linger, so that the first event after a pause goes
    /// at once, and a steady flow travels in few requests. What is tried again, somebody waits for, or has its key's
    /// line behind it, does not linger.
    func readiness(now: Instant, limits: DeliverySettings) -> (isReady: Bool, lingersUntil: Instant?) {
        if isPressed || isolation.hasGroup { return (true, nil) }
        guard let first = oldestReady else {
            // While nothing else can prove anything, suspects are tried again whenever the gate lets a probe through.
            return (gate.isShut && isolation.isExhausted, nil)
        }
        guard let lastRequestAt, first > hurryThrough, !isFull(limits) else { return (true, nil) }
        let due = lastRequestAt + limits.linger
        return due <= now ? (true, nil) : (false, due)
    }

    private var oldestReady: EventID? {
        guard let urgent = urgent.first?.id, let fresh = fresh.first?.id else {
            return urgent.first?.id ?? fresh.first?.id
        }
        return min(urgent, fresh)
    }

    /// Takes the next batch out of the lines: urgent events first, then fresh ones; at most one event of an ordered
    /// key. May come back empty, when all that was met is blocked.
    func draft(limits: DeliverySettings, share: Int, mostEvents: Int) -> Draft {
        if let group = isolation.takeGroup(alone: mostEvents == 1) { return Draft(items: group.items, group: group) }
        var draft = draftOfLines(limits: limits, share: share, mostEvents: mostEvents)
        if draft.items.isEmpty, gate.isShut, isolation.isExhausted, let suspect = isolation.takeSuspect() {
            draft.items = suspect.items
            draft.group = suspect
        }
        return draft
    }

    private func draftOfLines(limits: DeliverySettings, share: Int, mostEvents: Int) -> Draft {
        var draft = Draft()
        var bytes = 0
        let most = min(mostEvents, KinesisLimits.recordsPerRequest)
        draft.items.reserveCapacity(min(most, urgent.count + fresh.count))

        func fits(_ item: Item) -> Bool {
            draft.items.isEmpty || bytes + item.recordBytes <= limits.maxBatchBytes
        }
        func take(_ item: Item) {
            if item.recordBytes > settings.maxRecordBytes {
                draft.oversize.append(item)
            } else {
                draft.items.append(item)
                bytes += item.recordBytes
            }
        }

        while draft.items.count < most, let item = urgent.first {
            if item.id > goneThrough, !fits(item) { return draft }
            urgent.removeFirst()
            // Of an unordered key, another event may be backing off meanwhile.
            if !item.key.isNone { setPhase(of: item.key, from: .queued, to: .held) }
            if item.id <= goneThrough { drop(item) } else { take(item) }
        }
        if urgent.isEmpty { isPressed = false }
        while draft.items.count < most, let item = fresh.popFirst() {
            let recordBytes = item.recordBytes
            if item.id <= goneThrough {
                forgetPayload(item)
            } else if isOrdered(item.key), fits(item) {
                if claim(item.key) { take(item) } else { hold(item, share: share) }
            } else if !item.key.isNone, !keys.isEmpty, keys.index(forKey: item.key) != nil {
                hold(item, share: share)
            } else if fits(item) {
                take(item)
            } else {
                fresh.prepend(item)
                break
            }
            freshBytes -= recordBytes
        }
        if fresh.isEmpty { freshBytes = 0 }
        return draft
    }
}
