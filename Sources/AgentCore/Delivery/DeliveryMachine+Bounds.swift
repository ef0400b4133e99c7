// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// What is kept in memory: it is taken back from those that hold more than their part, or cannot use it.

extension DeliveryMachine {
    /// All destinations together may remember four times what one may.
    mutating func boundReferences() {
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
    mutating func reclaim(now: Instant) {
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
}
