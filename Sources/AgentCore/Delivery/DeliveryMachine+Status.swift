// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

extension DeliveryMachine {
    /// How all destinations fare, in the order in which they were opened.
    public func status() -> [DestinationStatus] { all.map { status(of: $0) } }

    /// The destinations that began or ceased to be stuck since this was last asked for, in order: their events do not
    /// flow, because they are backing off, parked or paused.
    public mutating func takeStuckChanges() -> [(id: DestinationID, isStuck: Bool)] {
        defer { stuckChanges = [] }
        return stuckChanges
    }

    private func status(of state: DestinationState) -> DestinationStatus {
        DestinationStatus(
            id: state.id,
            destination: state.destination,
            state: self.state(of: state),
            limitedBy: limit(of: state),
            inFlight: state.inFlight,
            retries: state.retries,
            throttled: state.throttled,
            lastFault: state.gates.compactMap { $0.isShut ? $0.fault : nil }.max { $0.at < $1.at } ?? state.lastFault,
            parkedBecause: state.settings.parkedBecause ?? oversize(of: state)
        )
    }

    /// Why some of its events are kept back.
    private func oversize(of state: DestinationState) -> String? {
        guard !state.oversize.isEmpty else { return nil }
        return "\(state.oversize.count) events are larger than max_record_bytes of the stream allows "
            + "(\(state.settings.maxRecordBytes) bytes): raise it. They are kept; the stream's other events are sent."
    }

    func state(of state: DestinationState) -> DestinationStatus.State {
        if state.isPaused { return .paused }
        if state.settings.parkedBecause != nil || !state.oversize.isEmpty || state.gates.contains(where: \.isParked) {
            return .parked
        }
        return state.gates.contains(where: \.isShut) ? .backingOff : .ok
    }

    private func limit(of state: DestinationState) -> DestinationStatus.Limit? {
        if state.isDrained { return nil }
        if state.isStopped { return .paused }
        if state.gates.contains(where: { $0.isShut }) {
            return state.gate.fault?.disposition == .throttledDestination ? .throttling : .fault
        }
        let hasMore = !state.fresh.isEmpty || !state.urgent.isEmpty
        if state.throttle?.holds == true, !hasMore || state.requests == 0 { return .throttling }
        if !hasMore, state.waitingCount > 0 || !(state.lanes?.spilled.isEmpty ?? true) {
            return state.timers.isEmpty ? .keyOrder : .throttling
        }
        if hasMore, attempts.count >= settings.workers || state.requests >= settings.workersOfOne { return .workers }
        return nil
    }
}
