// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// Whose turn it is to send, by standing, and the request that is made of it.

extension DeliveryMachine {
    mutating func planSends(now: Instant) {
        outwait(now: now)
        countLate(now: now)
        // Sick ones first, as long as they have no worker at all: else a busy agent would never find them well again.
        if sickAttempts + untriedAttempts == 0, !sendOnce(.untried, now: now) { sendOnce(.sick, now: now) }
        while attempts.count < settings.workers, sendOnce(.well, now: now) {}
        var untriedMayWait = true
        while attempts.count < settings.workers, !isUntriedEnough, untriedMayWait {
            untriedMayWait = sendOnce(.untried, now: now)
        }
        while attempts.count < settings.workers, !isUnsureEnough, sendOnce(.late, now: now) {}
        while !untriedMayWait, attempts.count < settings.workers, sickAttempts < settings.workersOfSick,
            !isUnsureEnough, sendOnce(.sick, now: now)
        {}
    }

    /// What hangs does not count against those that share an endpoint or an identity with it.
    private mutating func outwait(now: Instant) {
        for (id, attempt) in attempts where !attempt.isOutwaited && now - attempt.began >= settings.suspectAfter {
            attempts[id]?.isOutwaited = true
            for gate in attempt.gates where gate !== attempt.destination.gate {
                gate.outwaited(id)
                stir(gate)
            }
        }
    }

    /// As many workers as may wait for answers that may never come.
    var isUnsureEnough: Bool {
        sickAttempts + untriedAttempts + lateAttempts >= settings.workersOfLate
    }

    var isUntriedEnough: Bool {
        isUnsureEnough || sickAttempts + untriedAttempts >= settings.workersOfOne
    }

    /// Counts the requests of destinations of which nothing was heard for long: they may hang.
    private mutating func countLate(now: Instant) {
        (lateAttempts, untriedAttempts) = (0, 0)
        for attempt in attempts.values where !attempt.isSick {
            if standing(of: attempt.destination, now: now) == .late { lateAttempts += 1 }
            if attempt.isUntried { untriedAttempts += 1 }
        }
    }

    /// Sends one batch of the next destination whose turn it is.
    @discardableResult
    private mutating func sendOnce(_ standing: Standing, now: Instant) -> Bool {
        guard attempts.count < settings.workers else { return false }
        while let state = schedule.next(standing) {
            guard self.standing(of: state, now: now) == standing, maySend(state, now: now) else {
                // It stands elsewhere by now, or waits for something.
                examine(state, now: now)
                continue
            }
            guard send(state, now: now) else {
                // All that was met is blocked.
                schedule.touch(state)
                isUnfinished = true
                continue
            }
            examine(state, now: now)
            return true
        }
        return false
    }

    func maySend(_ state: DestinationState, now: Instant) -> Bool {
        !state.isStopped && state.requests < mostRequests(of: state)
            && state.readiness(now: now, limits: settings, spacing: spacing).isReady
            && state.gates.allSatisfy { $0.permits(state.id, now: now) }
    }

    /// A probe is small. Where records were refused and none accepted, it is one record: so it tells something of it.
    private func mostEvents(of state: DestinationState) -> Int {
        if state.gate.isShut, state.gate.fault?.disposition == .record { return 1 }
        return state.gates.contains(where: \.isShut) ? 10 : KinesisLimits.recordsPerRequest
    }

    private mutating func send(_ state: DestinationState, now: Instant) -> Bool {
        let id = AttemptID(nextAttempt)
        var context = DraftContext(attempt: id, now: now, generator: generator)
        let draft = state.draft(limits: settings, share: share, mostEvents: mostEvents(of: state), context: &context)
        generator = context.generator
        guard !draft.items.isEmpty else { return false }
        nextAttempt += 1
        let standing = state.standing
        attempts[id] = Attempt(
            destination: state,
            items: draft.items,
            shape: draft.shape,
            began: now,
            group: draft.group,
            isSick: standing == .sick,
            isUntried: standing == .untried,
            gates: state.gates,
            points: draft.points,
            bytes: draft.bytes
        )
        if standing == .sick { sickAttempts += 1 }
        if standing == .untried { untriedAttempts += 1 }
        if standing == .late { lateAttempts += 1 }
        for gate in state.gates {
            gate.began(id)
        }
        state.requests += 1
        state.lastRequestAt = now
        state.inFlight += draft.items.count
        if draft.group == nil { state.outstanding += draft.items.count }
        actions.append(.send(batch(id, of: state, draft)))
        return true
    }

    private mutating func batch(_ id: AttemptID, of state: DestinationState, _ draft: Draft) -> Batch {
        let (items, shape) = (draft.items, draft.shape)
        var records: [OutgoingRecord] = []
        records.reserveCapacity(shape.records)
        for record in 0..<shape.records {
            let item = items[shape.events(of: record).lowerBound]
            let data = item.data ?? .empty
            let key =
                item.key.isNone
                ? draft.ownKeys[item.id]
                    ?? generator.partitionKey(room: state.settings.maxRecordBytes - data.count)
                : item.key.partitionKey
            records.append(
                OutgoingRecord(partitionKey: key, explicitHashKey: item.key.explicitHashKey, data: data)
            )
        }
        return Batch(
            attempt: id,
            destination: state.id,
            request: OutgoingRequest(destination: state.destination, records: records),
            events: items.map(\.id),
            shape: shape
        )
    }
}
