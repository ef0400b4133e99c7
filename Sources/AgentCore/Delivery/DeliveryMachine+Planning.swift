// SPDX-License-Identifier: Apache-2.0
internal import HeapModule

extension DeliveryMachine {
    /// What is to be done now.
    public struct Plan: Sendable {
        public let actions: [DeliveryAction]
        /// Plan again by then even if nothing happens; ``Instant/never`` where only events can bring something to do.
        public let wakeAt: Instant
    }

    public mutating func plan(now: Instant) -> Plan {
        for state in turns {
            state.fireTimers(now: now)
            if state.gate.isShut, state.mayProveSuspects { state.gate.probeNow(now) }
        }
        if !isStopping {
            boundMemory()
            planSends(now: now)
            boundReferences()
            planLoads(now: now)
            planCancels(now: now)
        }
        defer { actions.removeAll() }
        return Plan(actions: actions, wakeAt: isStopping ? .never : wakeAt(now: now))
    }

    // MARK: Bounds

    private mutating func boundReferences() {
        for state in turns { state.boundReferences(to: settings.maxReferences) }
        // All destinations together may remember four times what one may.
        let most = settings.maxReferences * 4
        var total = references
        guard total > most else { return }
        for state in turns.sorted(by: { $0.waitingCount > $1.waitingCount }) where total > most {
            total -= state.waitingCount
            state.boundReferences(to: max(0, most - total))
            total += state.waitingCount
        }
    }

    /// When others came, who held much must let go of it. (Not who holds one large event: it would be read again.)
    private mutating func boundMemory() {
        guard ledger.held > settings.memoryBytes / 8 * 7 else { return }
        let most = budget * 2
        for state in turns where state.held > most && state.held <= state.grant && state.outstanding == 0 {
            state.giveBack()
        }
    }

    // MARK: Sending

    private mutating func planSends(now: Instant) {
        outwait(now: now)
        // Sick ones first, as long as they have no worker at all: else a busy agent would never find them well again.
        markLate(now: now)
        if sickAttempts + untriedAttempts == 0, !sendOnce(.untried, now: now) { sendOnce(.sick, now: now) }
        while attempts.count < settings.workers, sendOnce(.well, now: now) {}
        var untriedMayWait = true
        while attempts.count < settings.workers, !isUntriedEnough, untriedMayWait {
            untriedMayWait = sendOnce(.untried, now: now)
        }
        while attempts.count < settings.workers, !isUnsureEnough, sendLate(now: now) {}
        while !untriedMayWait, attempts.count < settings.workers, sickAttempts < settings.workersOfSick,
            !isUnsureEnough, sendOnce(.sick, now: now)
        {}
    }

    /// What hangs does not count against those that share an endpoint or an identity with it.
    private mutating func outwait(now: Instant) {
        for (id, attempt) in attempts where !attempt.isOutwaited && now - attempt.began >= settings.suspectAfter {
            attempts[id]?.isOutwaited = true
            for gate in attempt.gates where gate !== attempt.destination.gate { gate.outwaited(id) }
        }
    }

    /// As many workers as may wait for answers that may never come.
    private var isUnsureEnough: Bool {
        sickAttempts + untriedAttempts + lateAttempts >= settings.workersOfLate
    }

    private var isUntriedEnough: Bool {
        isUnsureEnough || sickAttempts + untriedAttempts >= settings.workersOfOne
    }

    /// Finds the destinations of which nothing was heard for long: what is sent to them may hang.
    private mutating func markLate(now: Instant) {
        for state in turns {
            state.isLate = state.gate.lastSuccess.map { now - $0 >= settings.suspectAfter } ?? false
        }
        (lateAttempts, untriedAttempts) = (0, 0)
        for attempt in attempts.values where !attempt.isSick {
            if attempt.destination.isLate { lateAttempts += 1 }
            if attempt.isUntried { untriedAttempts += 1 }
        }
    }

    /// Sends one batch of the next destination whose turn it is.
    @discardableResult
    private mutating func sendOnce(_ standing: Standing, now: Instant) -> Bool {
        guard attempts.count < settings.workers else { return false }
        let next = turn[standing] ?? 0
        for offset in 0..<turns.count {
            let index = (next + offset) % turns.count
            let state = turns[index]
            guard state.standing == standing, maySend(state, now: now), send(state, now: now) else { continue }
            turn[standing] = (index + 1) % turns.count
            return true
        }
        return false
    }

    /// Asks the one of the late that was heard of last, with one request: those that hang were heard of before those
    /// that only had no worker.
    private mutating func sendLate(now: Instant) -> Bool {
        let late = turns.filter { $0.standing == .late && $0.requests == 0 && maySend($0, now: now) }
        return late.sorted { ($0.gate.lastSuccess ?? .zero) > ($1.gate.lastSuccess ?? .zero) }
            .contains { send($0, now: now) }
    }

    private func maySend(_ state: DestinationState, now: Instant) -> Bool {
        !state.isStopped && state.requests < settings.workersOfOne
            && state.readiness(now: now, limits: settings).isReady && gatesPermit(state, now: now)
    }

    private func gatesPermit(_ state: DestinationState, now: Instant) -> Bool {
        state.gate.permits(state.id, now: now) && state.endpoint.permits(state.id, now: now)
            && state.identity.permits(state.id, now: now)
    }

    /// A probe is small. Where records were refused and none accepted, it is one record: so it tells something of it.
    private func mostEvents(of state: DestinationState) -> Int {
        if state.gate.isShut, state.gate.fault?.disposition == .record { return 1 }
        return state.gates.contains(where: \.isShut) ? 10 : KinesisLimits.recordsPerRequest
    }

    private mutating func send(_ state: DestinationState, now: Instant) -> Bool {
        let draft = state.draft(
            limits: settings,
            share: share,
            mostEvents: mostEvents(of: state)
        )
        for item in draft.oversize {
            state.outstanding += 1
            let reason =
                "Data and key are \(item.recordBytes) bytes; the stream takes \(state.settings.maxRecordBytes)."
            bury(item, of: state, code: "record_too_large", reason: reason)
        }
        guard !draft.items.isEmpty else { return false }
        let id = AttemptID(nextAttempt)
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
            gates: state.gates
        )
        if standing == .sick { sickAttempts += 1 }
        if standing == .untried { untriedAttempts += 1 }
        if standing == .late { lateAttempts += 1 }
        for gate in state.gates { gate.began(id) }
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
                ? keyOfOurs(room: state.settings.maxRecordBytes - data.count) : item.key.partitionKey
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

    /// A random partition key for an event that has none, so that such events spread over all shards; short enough
    /// for the record to stay within its limit.
    private mutating func keyOfOurs(room: Int) -> String {
        var bits = generator.next()
        return String(unsafeUninitializedCapacity: 12) { text in
            let count = max(1, min(12, room))
            for i in 0..<count {
                text[i] = UInt8(ascii: "a") + UInt8(bits & 15)
                bits >>= 4
            }
            return count
        }
    }

    // MARK: Loading

    private mutating func planLoads(now: Instant) {
        let (budget, share) = (budget, share)
        for state in turns where state.pendingLoad == nil {
            if state.isCrowded, state.isDrained { state.isCrowded = false }
            let room = room(of: state, budget: budget)
            let load = state.nextLoad(
                room: room,
                share: share,
                mostReferences: settings.maxReferences,
                isProbe: state.isDormant,
                now: now
            )
            if let load {
                actions.append(.load(load))
            } else if !state.gate.isShut, state.hasOnlySuspects, let fault = state.isolationFault {
                // More likely the stream's fault, or ours, than that of each record.
                shut(state.gate, of: state, fault.seen(at: now), began: now, retryAfter: nil)
            }
        }
    }

    // MARK: Giving up

    /// Takes workers back from requests that hang, when a healthy destination wants them.
    private mutating func planCancels(now: Instant) {
        if isCrowded, wantsWorker(now: now) {
            let suspects = attempts.filter { now - $0.value.began >= settings.suspectAfter }
            let excess = max(suspects.count - settings.workersOfSick, settings.workers == 1 ? 1 : 0)
            cancel(suspects.sorted { $0.value.began < $1.value.began }.prefix(excess).map(\.key))
        }
        // Those that were never tried may be well: what hangs does not keep them from showing it.
        if isUntriedEnough, turns.contains(where: { $0.standing == .untried && maySend($0, now: now) }) {
            cancel(
                attempts.filter {
                    ($0.value.isSick || $0.value.isUntried) && now - $0.value.began >= settings.hasteAfter
                }
                .map(\.key)
            )
        }
    }

    private mutating func cancel(_ ids: [AttemptID]) {
        for id in ids where attempts[id]?.isCancelled == false {
            attempts[id]?.isCancelled = true
            actions.append(.cancel(id))
        }
    }

    /// All workers are busy, or as many as wait for those that were not heard of.
    private var isCrowded: Bool {
        attempts.count >= settings.workers || isUnsureEnough
    }

    /// Whether some destination that is well, or was never tried, could send now, had it a worker.
    private func wantsWorker(now: Instant) -> Bool {
        turns.contains { state in
            !state.gate.isShut && !state.endpoint.isShut && !state.identity.isShut && maySend(state, now: now)
        }
    }

    // MARK: Time

    private func wakeAt(now: Instant) -> Instant {
        var wake = Instant.never
        for state in turns where !state.isStopped {
            if let timer = state.timers.min { wake = min(wake, timer.due) }
            if state.loadsAgainAt > now { wake = min(wake, state.loadsAgainAt) }
            let (isReady, lingersUntil) = state.readiness(now: now, limits: settings)
            if let lingersUntil { wake = min(wake, lingersUntil) }
            guard isReady, state.requests < settings.workersOfOne, attempts.count < settings.workers else { continue }
            // All gates must open: the last one counts.
            let opening = state.gates.compactMap { $0.opensAt(for: state.id) }.max()
            if let opening, opening > now { wake = min(wake, opening) }
        }
        // Then it is outwaited, and may be cancelled.
        for attempt in attempts.values where !attempt.isOutwaited {
            wake = min(wake, attempt.began + settings.suspectAfter)
            let haste = attempt.began + settings.hasteAfter
            if (attempt.isSick || attempt.isUntried) && haste > now { wake = min(wake, haste) }
        }
        return wake
    }
}
