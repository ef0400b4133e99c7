// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// Who reads the file next, and how much at once.

extension DeliveryMachine {
    mutating func planLoads(now: Instant) {
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
}
