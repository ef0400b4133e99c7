// SPDX-License-Identifier: Apache-2.0

extension DeliveryMachine {
    /// A request was answered, failed, or was given up.
    public mutating func answered(_ id: AttemptID, _ outcome: SendOutcome, now: Instant) {
        guard let attempt = attempts.removeValue(forKey: id) else { return }
        let state = attempt.destination
        state.requests -= 1
        state.inFlight -= attempt.items.count
        if attempt.isSick { sickAttempts -= 1 }
        for gate in attempt.gates { gate.ended(id) }
        if attempt.group != nil { state.isolation.tested() }
        switch outcome {
        case .answered(let records) where records.count == attempt.shape.records:
            judgeRecords(attempt, records, now: now)
        case .answered(let records):
            let message = "The answer has \(records.count) entries for \(attempt.shape.records) records."
            requestFailed(attempt, SendFailure(kind: .unintelligible, message: message), now: now)
        case .failed(let failure):
            requestFailed(attempt, failure, now: now)
        }
        if !state.isolation.isEmpty { state.forgetRemovedSuspects() }
    }

    // MARK: Record by record

    private mutating func judgeRecords(_ attempt: Attempt, _ records: [RecordOutcome], now: Instant) {
        let state = attempt.destination
        for gate in [state.endpoint, state.identity] { open(gate, of: state, now: now) }
        var delivered: (ids: [EventID], keys: [EventKey]) = ([], [])
        delivered.ids.reserveCapacity(records.count)
        delivered.keys.reserveCapacity(records.count)
        var parking: Fault?
        var throttling: Fault?
        for record in records.indices {
            let places = attempt.shape.events(of: record)
            switch records[record] {
            case .accepted:
                for i in places {
                    state.charge(-attempt.items[i].cost)
                    delivered.ids.append(attempt.items[i].id)
                    delivered.keys.append(attempt.items[i].key)
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
        let due = now + backoff.delay(failures: failures, using: &generator)
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
        state.lastFault = fault
        if disposition == .throttledDestination { state.throttled += attempt.items.count }

        if disposition == .record, !state.needsRescan {
            return suspect(attempt, fault, now: now)
        }
        takeBack(attempt)
        switch disposition {
        case .identity where !state.identity.doubts(state.id), .clock where !state.identity.doubts(state.id):
            shut(state.identity, of: state, fault, began: attempt.began, retryAfter: failure.retryAfter)
        case .endpoint where blamesEndpoint(attempt, failure):
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
        gate.failed(fault, by: state.id, began: began, retryAfter: retryAfter, generator: &generator)
        if isNews { actions.append(.report(.faulted(state.destination, fault))) }
        for other in turns where other.gates.contains(where: { $0 === gate }) && other.isDormant && other.held > 0 {
            other.giveBack()
        }
    }

    private mutating func open(_ gate: Gate, of state: DestinationState, now: Instant) {
        if let outage = gate.succeeded(by: state.id, now: now) {
            actions.append(.report(.recovered(state.destination, after: outage)))
        }
    }
}
