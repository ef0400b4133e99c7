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
    mutating func examine(_ state: DestinationState, now: Instant) {
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
    mutating func isPermitted(_ state: DestinationState, now: Instant) -> Bool {
        guard let blocking = state.gates.first(where: { !$0.permits(state.id, now: now) }) else { return true }
        // All gates must open: the last one counts.
        if let opening = state.gates.compactMap({ $0.opensAt(for: state.id) }).max(), opening > now {
            schedule.wake(state, at: opening)
        }
        wait(state, for: blocking)
        return false
    }

    func wait(_ state: DestinationState, for gate: Gate) {
        guard state.waitsFor !== gate else { return }
        state.waitsFor = gate
        gate.waiting.append(state)
    }

    func standing(of state: DestinationState, now: Instant) -> Standing {
        state.isLate = state.isLate(at: now, suspectAfter: settings.suspectAfter)
        return state.standing
    }

    /// The distance of a destination's requests that are not full. Among many active ones it is longer than the linger:
    /// what they send together stays below a thousand requests a second, or most of the agent's time would go into requests
    /// of an event or two.
    var spacing: Duration { max(settings.linger, Self.spacingOfEach * activeCount) }

    func mostRequests(of state: DestinationState) -> Int { state.batchLimit.mostRequests(settings.workersOfOne) }

    /// Keeps the sums over all destinations up to date with one of them.
    mutating func account(for state: DestinationState) {
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
