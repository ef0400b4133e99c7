// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

extension DeliveryMachine {
    /// What is to be done now.
    public struct Plan: Sendable {
        public let actions: [DeliveryAction]
        /// Plan again by then even if nothing happens; ``Instant/never`` where only events can bring something to do.
        public let wakeAt: Instant
    }

    public mutating func plan(now: Instant) -> Plan {
        schedule.touchDue(now: now)
        examineTouched(now: now)
        if !isStopping {
            planSends(now: now)
            examineTouched(now: now)
            boundReferences()
            planLoads(now: now)
            planCancels(now: now)
            examineTouched(now: now)
        }
        defer { actions.removeAll() }
        return Plan(actions: actions, wakeAt: isStopping ? .never : wakeAt(now: now))
    }

    // MARK: Looking

    /// Looks at every destination to which something happened, those to which this itself makes something happen too.
    mutating func examineTouched(now: Instant) {
        while !schedule.isQuiet {
            for state in schedule.takeTouched() { examine(state, now: now) }
        }
    }

    /// Finds what the destination can do now, and when it can do more.
    private mutating func examine(_ state: DestinationState, now: Instant) {
        work += 1
        state.fireTimers(now: now)
        if state.gate.isShut, state.mayProveSuspects, state.gate.until > now { probeNow(state.gate, now) }
        if state.isCrowded, state.isDrained { state.isCrowded = false }
        work += state.boundReferences(to: settings.maxReferences)
        if state.throttle != nil { examineShards(of: state, now: now) }
        account(for: state)
        guard !isStopping, !state.isStopped else { return }
        if let timer = state.timers.min { schedule.wake(state, at: timer.due) }
        if state.loadsAgainAt > now { schedule.wake(state, at: state.loadsAgainAt) }
        examineSending(state, now: now)
        examineLoading(state, now: now)
    }

    private mutating func examineShards(of state: DestinationState, now: Instant) {
        if state.isDormant {
            // A probe is to go to wherever it goes: what was known of shards is learnt again.
            state.giveBack()
            state.throttle = nil
        } else {
            state.endThrottling(now: now)
            schedule.wake(state, at: state.prefetch(now: now))
        }
    }

    private mutating func examineSending(_ state: DestinationState, now: Instant) {
        guard state.listedAs == nil, state.requests < mostRequests(of: state) else { return }
        let (isReady, readyAt) = state.readiness(now: now, limits: settings, spacing: spacing)
        guard isReady else {
            if readyAt < .never { schedule.wake(state, at: readyAt) }
            return
        }
        guard isPermitted(state, now: now) else { return }
        let standing = standing(of: state, now: now)
        if standing != .late || state.requests == 0 { schedule.list(state, as: standing) }
    }

    private mutating func examineLoading(_ state: DestinationState, now: Instant) {
        guard state.pendingLoad == nil else { return }
        let isProbe = state.isDormant
        if state.wantsLoad(mostReferences: settings.maxReferences, isProbe: isProbe, now: now) {
            // What a probe is made of is read when it is its turn.
            guard !isProbe || isPermitted(state, now: now) else { return }
            schedule.waitForRoom(state, forProbe: isProbe)
        } else if !state.gate.isShut, state.hasOnlySuspects, let fault = state.isolationFault {
            // More likely the stream's fault, or ours, than that of each record.
            shut(state.gate, of: state, fault.seen(at: now), began: now, retryAfter: nil)
        }
    }

    /// Whether all gates let the destination pass; if not, it is looked at again once they may.
    private mutating func isPermitted(_ state: DestinationState, now: Instant) -> Bool {
        guard let blocking = state.gates.first(where: { !$0.permits(state.id, now: now) }) else { return true }
        // All gates must open: the last one counts.
        if let opening = state.gates.compactMap({ $0.opensAt(for: state.id) }).max(), opening > now {
            schedule.wake(state, at: opening)
        }
        wait(state, for: blocking)
        return false
    }

    private func standing(of state: DestinationState, now: Instant) -> Standing {
        state.isLate = state.isLate(at: now, suspectAfter: settings.suspectAfter)
        return state.standing
    }

    /// The distance of a destination's requests that are not full. Among many active ones it is longer than the linger:
    /// what they send together stays below a thousand requests a second, or most of the agent's time would go into requests
    /// of an event or two.
    private var spacing: Duration { max(settings.linger, Self.spacingOfEach * activeCount) }

    func mostRequests(of state: DestinationState) -> Int { state.batchLimit.mostRequests(settings.workersOfOne) }

    /// Keeps the sums over all destinations up to date with one of them.
    private mutating func account(for state: DestinationState) {
        activeCount += state.activeChange()
        if state.keepLedger() { leave(state) }
        let isStuck = self.state(of: state) != .ok
        if isStuck != state.wasStuck {
            state.wasStuck = isStuck
            stuckChanges.append((state.id, isStuck))
        }
    }

    /// The destination has nothing to probe with: others may.
    private mutating func leave(_ state: DestinationState) {
        for gate in state.gates where gate.dismiss(state) { stir(gate) }
    }

    // MARK: Bounds

    /// All destinations together may remember four times what one may.
    private mutating func boundReferences() {
        let most = settings.maxReferences * 4
        guard ledger.references > most else { return }
        let many = all.filter { $0.waitingCount > DestinationState.alwaysRemembered }
        for state in many.sorted(by: { $0.waitingCount > $1.waitingCount }) where ledger.references > most / 2 {
            work += state.boundReferences(to: DestinationState.alwaysRemembered)
            account(for: state)
            schedule.touch(state)
        }
    }

    /// Takes memory back from those that hold more than their part, and from those that cannot use it now, where others
    /// want to read and find no room. (Not from who holds one large event: it would be read again.)
    private mutating func reclaim(now: Instant) {
        guard now >= reclaimsAt else { return }
        reclaimsAt = now + .milliseconds(100)
        let most = budget * 2
        let hungry = schedule.hungry
        for state in all where state.held > 0 && state.outstanding == 0 && state.pendingLoad == nil && !state.isProbing
        {
            let isGreedy = state.held > most && state.held <= state.grant
            let waitsLong = state.throttle != nil && state.isOnlyGated && state.releasesAt(now: now) > now + .seconds(1)
            let isUseless = state.isShut && state.gate.fault?.disposition != .record
            guard isGreedy || waitsLong || isUseless && hungry.contains(where: { !$0.isShut }) else { continue }
            work += 1
            state.giveBack()
            schedule.touch(state)
        }
    }

    // MARK: Sending

    private mutating func planSends(now: Instant) {
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
    private var isUnsureEnough: Bool {
        sickAttempts + untriedAttempts + lateAttempts >= settings.workersOfLate
    }

    private var isUntriedEnough: Bool {
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

    private func maySend(_ state: DestinationState, now: Instant) -> Bool {
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

    // MARK: Loading

    private mutating func planLoads(now: Instant) {
        loadHungry(forProbes: false, mostRefused: 64, now: now)
        loadHungry(forProbes: true, mostRefused: 4, now: now)
        if let state = schedule.hungry.first {
            reclaim(now: now)
            schedule.wake(state, at: reclaimsAt)
        }
    }

    /// Lets those read who want to, in their turn, until so many found no room.
    private mutating func loadHungry(forProbes: Bool, mostRefused: Int, now: Instant) {
        var (left, refused) = (schedule.hungryCount(forProbes: forProbes), 0)
        while left > 0, refused < mostRefused, let state = schedule.nextHungry(forProbes: forProbes) {
            left -= 1
            work += 1
            guard load(state, now: now) else { continue }
            refused += 1
            schedule.waitForRoom(state, forProbe: forProbes)
        }
    }

    /// - Returns: Whether the destination wants to read, but has no room.
    private mutating func load(_ state: DestinationState, now: Instant) -> Bool {
        let isProbe = state.isDormant
        guard state.wantsLoad(mostReferences: settings.maxReferences, isProbe: isProbe, now: now) else { return false }
        if isProbe {
            guard isPermitted(state, now: now) else { return false }
            // Another one is about to probe the same: this one comes when that was answered.
            if let gate = state.gates.first(where: { $0.isDormant && $0.isAnothersTurn(than: state) }) {
                wait(state, for: gate)
                return false
            }
            guard ledger.probes < settings.mostProbes else { return true }
        }
        let room = room(of: state, budget: budget)
        // What an event takes is known only when it was read: so few are read at once where it may be too much.
        guard room >= state.settings.maxRecordBytes || ledger.mayExceed < settings.mostOverdrafts else { return true }
        let load = state.nextLoad(
            room: room,
            share: share,
            mostReferences: settings.maxReferences,
            isProbe: isProbe,
            mayOverdraw: state.countsAsOverdrawn || ledger.overdrafts < settings.mostOverdrafts,
            now: now
        )
        guard let load else { return true }
        if isProbe { for gate in state.gates where gate.isDormant { gate.elect(state) } }
        account(for: state)
        actions.append(.load(load))
        return false
    }

    private func wait(_ state: DestinationState, for gate: Gate) {
        guard state.waitsFor !== gate else { return }
        state.waitsFor = gate
        gate.waiting.append(state)
    }

    // MARK: Giving up

    /// Takes workers back from requests that hang, when a healthy destination wants them.
    private mutating func planCancels(now: Instant) {
        if isCrowded, wantsWorker(now: now) {
            let suspectAfter = settings.suspectAfter
            let suspects = attempts.filter {
                now - $0.value.began >= $0.value.destination.patience(suspectAfter: suspectAfter)
            }
            let excess = max(suspects.count - settings.workersOfSick, settings.workers == 1 ? 1 : 0)
            cancel(suspects.sorted { $0.value.began < $1.value.began }.prefix(excess).map(\.key))
        }
        // Those that were never tried may be well: what hangs does not keep them from showing it.
        if isUntriedEnough, hasTurn(.untried, now: now) {
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
    private mutating func wantsWorker(now: Instant) -> Bool {
        hasTurn(.well, now: now) || hasTurn(.untried, now: now) || hasTurn(.late, now: now)
    }

    /// Whether some destination of that standing could send now.
    private mutating func hasTurn(_ standing: Standing, now: Instant) -> Bool {
        while let state = schedule.first(standing) {
            if self.standing(of: state, now: now) == standing, maySend(state, now: now) { return true }
            _ = schedule.next(standing)
            examine(state, now: now)
        }
        return false
    }

    // MARK: Time

    private mutating func wakeAt(now: Instant) -> Instant {
        if isUnfinished {
            isUnfinished = false
            return now
        }
        var wake = schedule.nextWake
        // Then it is outwaited, or may be cancelled.
        for attempt in attempts.values where !attempt.isCancelled {
            if !attempt.isOutwaited { wake = min(wake, attempt.began + settings.suspectAfter) }
            let patience = attempt.began + attempt.destination.patience(suspectAfter: settings.suspectAfter)
            if patience > now { wake = min(wake, patience) }
            let haste = attempt.began + settings.hasteAfter
            if (attempt.isSick || attempt.isUntried) && haste > now { wake = min(wake, haste) }
        }
        return wake
    }
}
