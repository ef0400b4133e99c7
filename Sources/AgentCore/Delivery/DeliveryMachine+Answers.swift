// SPDX-License-Identifier: Apache-2.0

extension DeliveryMachine {
    /// A request was answered, failed, or was given up.
    public mutating func answered(_ id: AttemptID, _ outcome: SendOutcome, now: Instant) {
        guard let attempt = attempts.removeValue(forKey: id) else { return }
        let state = attempt.destination
        state.requests -= 1
        state.inFlight -= attempt.items.count
        if attempt.isSick { sickAttempts -= 1 }
        for gate in attempt.gates {
            gate.ended(id)
            stir(gate)
        }
        if attempt.group != nil { state.isolation.tested() }
        schedule.touch(state)
        switch outcome {
        case .answered(let records) where records.count == attempt.shape.records:
            state.answersTake = now - attempt.began
            state.batchLimit.succeeded(after: now - attempt.began, settings: settings)
            judgeRecords(attempt, records, of: id, now: now)
        case .answered(let records):
            let message = "The answer has \(records.count) entries for \(attempt.shape.records) records."
            requestFailed(attempt, SendFailure(kind: .unintelligible, message: message), now: now)
        case .failed(let failure):
            requestFailed(attempt, failure, now: now)
        }
        // What it probed and was told nothing of is to be probed by another.
        state.throttle?.ended(id)
        if !state.isolation.isEmpty { state.forgetRemovedSuspects() }
    }

    // MARK: Record by record

    private mutating func judgeRecords(_ attempt: Attempt, _ records: [RecordOutcome], of id: AttemptID, now: Instant) {
        let state = attempt.destination
        for gate in [state.endpoint, state.identity] { open(gate, of: state, now: now) }
        var delivered: (ids: [EventID], keys: [EventKey]) = ([], [])
        delivered.ids.reserveCapacity(records.count)
        delivered.keys.reserveCapacity(records.count)
        var parking: Fault?
        var throttling: Fault?
        /// Records that their shard had no room for.
        var unplaced: [Int] = []
        for record in records.indices {
            let places = attempt.shape.events(of: record)
            switch records[record] {
            case .accepted(_, let shard):
                for i in places {
                    state.charge(-attempt.items[i].cost)
                    delivered.ids.append(attempt.items[i].id)
                    delivered.keys.append(attempt.items[i].key)
                }
                if state.throttle != nil, !attempt.points.isEmpty, let name = shard.text {
                    let bytes = attempt.bytes(of: record)
                    state.release(state.throttle?.accepted(attempt.points[record], bytes: bytes, by: name) ?? [])
                }
            case .refused(let code, let message):
                let disposition = Disposition(entryCode: code)
                let fault = Fault(code: code, message: message, disposition: disposition, at: now)
                state.lastFault = fault
                switch disposition {
                case .record where places.count > 1:
                    // Some event of the record is at fault.
                    state.isolationFault = fault
                    let group = Isolation.Group(items: Array(attempt.items[places]))
                    _ = state.isolation.refused(group, proven: state.provenAt, now: now)
                case .record:
                    let item = attempt.items[places.lowerBound]
                    actions.append(.report(.rejected(state.destination, item.id, fault)))
                    bury(item, of: state, code: code, reason: message)
                case .throttledKey where code.hasPrefix("ProvisionedThroughputExceeded"):
                    state.throttled += places.count
                    refuse(record, of: attempt, by: Shard.name(in: message), now: now)
                    unplaced.append(record)
                case .throttledKey:
                    state.throttled += places.count
                    comeBack(attempt.items[places], to: state, backoff: .throttled, now: now)
                case .transient, .endpoint:
                    comeBack(attempt.items[places], to: state, backoff: .transient, now: now)
                case .throttledDestination:
                    throttling = fault
                    state.throttled += places.count
                    comeBack(attempt.items[places], to: state, backoff: .throttled, now: now)
                case .identity, .clock, .destination:
                    parking = fault
                    state.outstanding -= places.count
                    state.retries += places.count
                    restore(attempt.items[places], to: state)
                }
            }
        }
        state.throttle?.answered(id, began: attempt.began, now: now, generator: &generator)
        putBack(unplaced, of: attempt, now: now)
        if let fault = parking ?? throttling {
            shut(state.gate, of: state, fault, began: attempt.began, retryAfter: nil)
        } else {
            open(state.gate, of: state, now: now)
        }
        if !delivered.ids.isEmpty {
            settle(delivered.ids, delivered.keys, of: state)
            state.provenAt = max(state.provenAt ?? attempt.began, attempt.began)
            state.isolation.retry(proven: attempt.began)
        }
    }

    /// A shard has no room for the record.
    private func refuse(_ record: Int, of attempt: Attempt, by name: String?, now: Instant) {
        let state = attempt.destination
        if state.throttle == nil { state.throttle = Throttle() }
        let bytes = attempt.bytes(of: record)
        let gone = state.throttle?.refused(attempt.point(of: record), bytes: bytes, by: name, now: now)
        state.release(gone ?? [])
    }

    /// Records that a shard had no room for wait for it. Those without a key are tried with other keys, and some time
    /// later, as nothing is known of the shards that those will go to.
    private mutating func putBack(_ records: [Int], of attempt: Attempt, now: Instant) {
        let state = attempt.destination
        // Last first, as each goes to the front of its shard's line.
        for record in records.reversed() {
            let items = attempt.items[attempt.shape.events(of: record)]
            if items.first?.key.isNone ?? true {
                comeBack(items, to: state, backoff: .throttled, now: now)
                continue
            }
            state.outstanding -= items.count
            state.retries += items.count
            state.comeBack(items, at: attempt.point(of: record), share: share)
        }
    }

    private mutating func settle(_ ids: [EventID], _ keys: [EventKey], of state: DestinationState) {
        let ids = isAscending(ids) ? ids : ids.sorted()
        state.settling[ids[0]] = keys
        actions.append(.settle(Settlement(destination: state.id, ids: ids)))
    }

    private func isAscending(_ ids: [EventID]) -> Bool {
        for i in ids.indices.dropFirst() where ids[i] < ids[i - 1] { return false }
        return true
    }

    /// One record failed by itself, while others of its request may have been stored.
    private mutating func comeBack(
        _ items: ArraySlice<Item>,
        to state: DestinationState,
        backoff: Backoff,
        now: Instant
    ) {
        state.outstanding -= items.count
        state.retries += items.count
        let failures = 1 + (items.first?.failures ?? 0)
        // In steps of the linger, so that what is tried again travels together.
        let due = (now + backoff.delay(failures: failures, using: &generator)).rounded(upTo: settings.linger)
        // Last first, as each goes to the front of its key's line.
        for var item in items.reversed() {
            if state.needsRescan {
                state.forgetPayload(item)
            } else {
                item.failures = failures
                state.retry(item, at: due, share: share)
            }
        }
    }

    /// A record is to go again by no fault of its own.
    private mutating func restore(_ items: ArraySlice<Item>, to state: DestinationState) {
        if state.needsRescan {
            for item in items { state.forgetPayload(item) }
        } else if let head = items.first {
            for item in items.dropFirst().reversed() { state.holdFirst(item, phase: .held, share: share) }
            state.restore(head)
        }
    }

    mutating func bury(_ item: Item, of state: DestinationState, code: String, reason: String) {
        state.forgetPayload(item)
        state.dying[item.id] = item.key
        actions.append(
            .deadLetter(DeadLetter(destination: state.id, id: item.id, code: code, reason: reason))
        )
    }

    /// A suspect was proven guilty.
    private mutating func condemn(_ item: Item, of state: DestinationState) {
        let fault =
            state.isolationFault
            ?? Fault(code: "record_rejected", message: "Kinesis refuses the record.", disposition: .record, at: .zero)
        actions.append(.report(.rejected(state.destination, item.id, fault)))
        bury(item, of: state, code: fault.code, reason: fault.message)
    }

    // MARK: The whole request

    private mutating func requestFailed(_ attempt: Attempt, _ failure: SendFailure, now: Instant) {
        let state = attempt.destination
        let disposition = Disposition(failure)
        let fault = Fault(failure, disposition: disposition, at: now)
        // What is cut off by our own stop says nothing of anybody.
        if failure.code == "cancelled" || isStopping && failure.kind == .transport { return takeBack(attempt) }
        state.lastFault = fault
        if failure.asksForLess {
            state.batchLimit.failed(
                records: attempt.shape.records,
                bytes: attempt.bytes,
                underWay: state.requests + 1,
                cutAfter: failure.isTimeout ? now - attempt.began : nil
            )
        }
        if disposition == .throttledDestination { state.throttled += attempt.items.count }

        if disposition == .record, !state.needsRescan {
            return suspect(attempt, fault, now: now)
        }
        takeBack(attempt)
        switch disposition {
        case .identity where !state.identity.doubts(state.id):
            shut(state.identity, of: state, fault, began: attempt.began, retryAfter: failure.retryAfter)
        case .clock where !state.endpoint.doubts(state.id), .endpoint where blamesEndpoint(attempt, failure):
            shut(state.endpoint, of: state, fault, began: attempt.began, retryAfter: failure.retryAfter)
        case .identity, .clock, .endpoint, .transient, .throttledKey, .throttledDestination, .destination, .record:
            shut(state.gate, of: state, fault, began: attempt.began, retryAfter: failure.retryAfter)
        }
    }

    /// A request that hung or met a 5xx, while others were answered by the same endpoint: not the endpoint's fault.
    private func blamesEndpoint(_ attempt: Attempt, _ failure: SendFailure) -> Bool {
        if attempt.destination.endpoint.doubts(attempt.destination.id) { return false }
        if failure.kind == .connect { return true }
        guard let success = attempt.destination.endpoint.lastSuccess else { return true }
        return success < attempt.began
    }

    private mutating func takeBack(_ attempt: Attempt) {
        let state = attempt.destination
        state.retries += attempt.items.count
        if let group = attempt.group, !state.needsRescan { return state.isolation.putBack(group) }
        state.outstanding -= attempt.items.count
        for record in 0..<attempt.shape.records { restore(attempt.items[attempt.shape.events(of: record)], to: state) }
    }

    /// Some record of the request is one that Kinesis never takes, or so it says.
    private mutating func suspect(_ attempt: Attempt, _ fault: Fault, now: Instant) {
        let state = attempt.destination
        // The endpoint knows us and answers.
        for gate in [state.endpoint, state.identity] { open(gate, of: state, now: now) }
        state.retries += attempt.items.count
        state.isolationFault = fault
        let group = attempt.group ?? Isolation.Group(items: attempt.items)
        if let guilty = state.isolation.refused(group, proven: state.provenAt, now: now) {
            return condemn(guilty, of: state)
        }
        // Nothing is accepted at all: more likely the stream's fault, or ours, than that of each record.
        if state.gate.isShut || state.isolation.suspects.count >= Isolation.mostSuspects {
            shut(state.gate, of: state, fault, began: now, retryAfter: nil)
        }
    }

    // MARK: Gates

    mutating func shut(
        _ gate: Gate,
        of state: DestinationState,
        _ fault: Fault,
        began: Instant,
        retryAfter: Duration?
    ) {
        let isNews = gate.fault?.code != fault.code
        let (wasShut, wasDormant) = (gate.isShut, gate.isDormant)
        gate.failed(fault, by: state.id, began: began, retryAfter: retryAfter, generator: &generator)
        if isNews { actions.append(.report(.faulted(state.destination, fault))) }
        stir(gate)
        let others = gate === state.gate ? [state] : gate.dependents
        if gate.isDormant, !wasDormant || state.held > 0 {
            for other in others where other.isDormant && other.held > 0 { other.giveBack() }
        }
        if wasShut != gate.isShut || wasDormant != gate.isDormant { for other in others { schedule.touch(other) } }
    }

    private mutating func open(_ gate: Gate, of state: DestinationState, now: Instant) {
        let outage = gate.succeeded(by: state.id, now: now)
        stir(gate)
        guard let outage else { return }
        actions.append(.report(.recovered(state.destination, after: outage)))
        for other in gate.dependents { schedule.touch(other) }
    }

    mutating func probeNow(_ gate: Gate, _ now: Instant) {
        gate.probeNow(now)
        stir(gate)
        // Those that wait for their own gate's time are not among its waiting ones.
        for state in gate.dependents { schedule.touch(state) }
    }

    /// Something about the gate changed: those that wait for it are looked at.
    mutating func stir(_ gate: Gate) {
        guard !gate.waiting.isEmpty else { return }
        for state in gate.waiting {
            state.waitsFor = nil
            schedule.touch(state)
        }
        gate.waiting.removeAll(keepingCapacity: true)
    }
}

extension DeliveryMachine.Attempt {
    /// Data and key of a record, in bytes.
    func bytes(of record: Int) -> Int { items[shape.events(of: record)].reduce(0) { $0 + $1.recordBytes } }

    /// Where in the hash space the record went; `nil` where it had a random key that was not kept.
    func point(of record: Int) -> UInt128? {
        if !points.isEmpty { return points[record] }
        let key = items[shape.events(of: record).lowerBound].key
        return key.isNone ? nil : key.hashPoint
    }
}
