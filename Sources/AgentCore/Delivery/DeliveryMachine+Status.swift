// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

extension DeliveryMachine {
    /// How all destinations fare, in the order in which they were opened.
    public func status() -> [DestinationStatus] { turns.map { status(of: $0) } }

    /// The destinations whose events do not flow: they are backing off, parked or paused.
    public var stuckDestinations: Set<DestinationID> {
        var stuck: Set<DestinationID> = []
        for state in turns where self.state(of: state) != .ok { stuck.insert(state.id) }
        return stuck
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
            parkedBecause: state.settings.parkedBecause
        )
    }

    private func state(of state: DestinationState) -> DestinationStatus.State {
        if state.isPaused { return .paused }
        if state.settings.parkedBecause != nil || state.gate.isParked || state.identity.isParked { return .parked }
        return state.gates.contains(where: \.isShut) ? .backingOff : .ok
    }

    private func limit(of state: DestinationState) -> DestinationStatus.Limit? {
        if state.isDrained { return nil }
        if state.isStopped { return .paused }
        if state.gates.contains(where: { $0.isShut }) {
            return state.gate.fault?.disposition == .throttledDestination ? .throttling : .fault
        }
        let hasMore = !state.fresh.isEmpty || !state.urgent.isEmpty
        if !hasMore, state.waitingCount > 0 || !(state.lanes?.spilled.isEmpty ?? true) {
            return state.timers.isEmpty ? .keyOrder : .throttling
        }
        if hasMore, attempts.count >= settings.workers || state.requests >= settings.workersOfOne { return .workers }
        return nil
    }
}
