// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// What a destination lets go of, to be read again from the file: everything, or one lane of the hash space.

extension DestinationState {
    /// Forgets all that is not under way; it is read again when it is wanted.
    func giveBack() {
        for item in fresh { charge(-item.cost) }
        for item in urgent { charge(-item.cost) }
        for item in isolation.items {
            charge(-item.cost)
            outstanding -= 1
        }
        for item in throttle?.loose ?? [] { charge(-item.cost) }
        throttle?.clear()
        outstanding -= oversize.count
        oversize = [:]
        while let timer = timers.popMin() {
            if case .event(let item) = timer.what { charge(-item.cost) }
        }
        for key in keys.keys {
            if let line = keys[key]?.waiting, !line.isEmpty {
                for item in line { charge(-item.cost) }
                keys[key]?.waiting = []
            }
        }
        fresh = []
        freshBytes = 0
        urgent = []
        fetchQueue = []
        isolation.clear()
        waitingCount = 0
        waitingBytes = 0
        lanes = nil
        pendingLoad?.isVoid = true
        needsRescan = true
    }

    /// Lets go of events that were to be tested by themselves, where a limit removed them.
    func forgetRemovedSuspects() {
        for item in isolation.remove(through: goneThrough) {
            outstanding -= 1
            drop(item)
        }
    }

    /// Reading begins again from the oldest event. Only while nothing is outstanding.
    func startOver() {
        needsRescan = false
        keys = [:]
        readThrough = goneThrough
    }

    // MARK: Lanes

    /// Forgets blocked events where there are more than `most`: whole lanes, the fullest first, until no more than half
    /// are left, so that there is peace for as many events as that took. What stays above it are heads of keys that
    /// back off or are being fetched, of which there are few.
    ///
    /// - Returns: How many keys and events were looked at.
    func boundReferences(to most: Int) -> Int {
        guard waitingCount > most else { return 0 }
        if settings.ordering == .none, !isCrowded {
            // Only where every event that is under way has its key on record can a lane be read apart.
            isCrowded = true
            giveBack()
            return 0
        }
        if lanes == nil { countLanes() }
        guard let fullest = lanes?.fullest(leaving: most / 2), !fullest.isEmpty else { return 0 }
        return spill(fullest)
    }

    private func spill(_ spilt: LaneSet) -> Int {
        var oldest: [Lane: EventID] = [:]
        func note(_ id: EventID, _ lane: Lane) { oldest[lane] = min(id, oldest[lane] ?? id) }
        let looked = keys.count + fresh.count
        var emptied: [EventKey] = []
        for (key, state) in keys where spilt.contains(state.lane) && !state.waiting.isEmpty {
            let keepsHead = state.phase == .backingOff || state.phase == .fetching
            var line = state.waiting
            let head = keepsHead ? line.popFirst() : nil
            for item in line {
                charge(-item.cost)
                waitingBytes -= item.cost
            }
            waitingCount -= line.count
            lanes?.waiting[Int(state.lane)] -= line.count
            if let first = line.first?.id { note(first, state.lane) }
            keys[key]?.waiting = head.map { [$0] } ?? []
            if state.phase == .gated { emptied.append(key) }
        }
        for key in emptied { removeKey(key) }
        if !emptied.isEmpty { throttle?.purge { keys[$0]?.phase == .gated } }
        // What of the lanes was read and not yet looked at goes too: it would overtake what was just forgotten.
        if !fresh.isEmpty {
            var kept: Deque<Item> = []
            kept.reserveCapacity(fresh.count)
            for item in fresh {
                let lane = item.key.isNone ? nil : item.key.lane
                if let lane, spilt.contains(lane) {
                    charge(-item.cost)
                    freshBytes -= item.recordBytes
                    note(item.id, lane)
                } else {
                    kept.append(item)
                }
            }
            fresh = kept
        }
        for (lane, id) in oldest { lanes?.spill(lane, resumeAfter: EventID(id.rawValue - 1)) }
        return looked
    }

    private func countLanes() {
        var table = LaneTable()
        for (key, state) in keys {
            let lane = key.lane
            keys[key] = KeyState(phase: state.phase, waiting: state.waiting, lane: lane)
            table.keys[Int(lane)] += 1
            table.waiting[Int(lane)] += state.waiting.count
        }
        lanes = table
    }
}
