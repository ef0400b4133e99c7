// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

// What a destination adds to the sums over all of them. Each function says by how much its part changed since it was
// last asked.

extension DestinationState {
    /// Whether it holds payloads, or is about to.
    func activeChange() -> Int {
        let before = countsAsActive
        countsAsActive = held > 0 || (!isDormant && !isRead)
        return Self.change(from: before, to: countsAsActive)
    }

    /// Keeps the ledger up to date.
    ///
    /// - Returns: Whether it held what a probe is made of, and does not any more.
    func keepLedger() -> Bool {
        ledger.references += referencesChange()
        ledger.overdrafts += overdraftChange()
        let probes = probeChange()
        ledger.probes += probes
        return probes < 0
    }

    private func referencesChange() -> Int {
        let before = countedReferences
        countedReferences = waitingCount
        return waitingCount - before
    }

    /// Whether it holds an event, or reads one, beyond its room.
    private func overdraftChange() -> Int {
        let before = countsAsOverdrawn
        countsAsOverdrawn = held > overdrawnAbove || (overdrawnAbove < .max && pendingLoad != nil)
        if !countsAsOverdrawn { overdrawnAbove = .max }
        return Self.change(from: before, to: countsAsOverdrawn)
    }

    /// Whether its events do not flow, and it holds what a probe is made of.
    private func probeChange() -> Int {
        let before = countsAsProbe
        countsAsProbe = isDormant && (held > 0 || pendingLoad != nil)
        return Self.change(from: before, to: countsAsProbe)
    }

    private static func change(from before: Bool, to now: Bool) -> Int { (now ? 1 : 0) - (before ? 1 : 0) }
}
