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

    /// Forgets blocked events, lane by lane, the fullest first, until there are no more than `most`; what is left then
    /// above that are heads of keys, which are never forgotten.
    func boundReferences(to most: Int) {
        var spared = LaneSet()
        while waitingCount > most, spillFullestLane(sparing: &spared) {}
    }

    /// - Returns: Whether another lane may have some.
    private func spillFullestLane(sparing spared: inout LaneSet) -> Bool {
        if settings.ordering == .none, !isCrowded {
            // Only where every event that is under way has its key on record can a lane be read apart.
            isCrowded = true
            giveBack()
            return false
        }
        if lanes == nil { countLanes() }
        guard let lane = lanes?.fullest(but: spared) else { return false }
        spared.insert(lane)
        var oldest: EventID?
        for (key, state) in keys where state.lane == lane && !state.waiting.isEmpty {
            let keepsHead = state.phase == .backingOff || state.phase == .fetching
            var line = state.waiting
            let head = keepsHead ? line.popFirst() : nil
            for item in line {
                charge(-item.cost)
                waitingBytes -= item.cost
                waitingCount -= 1
                lanes?.waiting[Int(lane)] -= 1
            }
            if let first = line.first?.id { oldest = min(first, oldest ?? first) }
            keys[key]?.waiting = head.map { [$0] } ?? []
        }
        // What of the lane was read and not yet looked at goes too: it would overtake what was just forgotten.
        if !fresh.isEmpty {
            var kept: Deque<Item> = []
            kept.reserveCapacity(fresh.count)
            for item in fresh {
                if !item.key.isNone, item.key.lane == lane {
                    charge(-item.cost)
                    freshBytes -= item.recordBytes
                    oldest = min(item.id, oldest ?? item.id)
                } else {
                    kept.append(item)
                }
            }
            fresh = kept
        }
        if let oldest { lanes?.spill(lane, resumeAfter: EventID(oldest.rawValue - 1)) }
        return true
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
