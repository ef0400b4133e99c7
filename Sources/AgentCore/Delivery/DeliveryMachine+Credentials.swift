// SPDX-License-Identifier: Apache-2.0

/// An identity, and where what is said of it holds.
struct PlacedIdentity: Hashable {
    let identity: String
    let place: String
}

/// Whether there is anything to sign requests with. Without, none is made: what depends on it waits, and does not try.
extension DeliveryMachine {
    /// The identity's credentials are being got for the first time: nothing is wrong, and nothing can be sent.
    public mutating func credentialsAwaited(identity name: String) { bar(name, nil) }

    /// The identity has no credentials, or none any more. Its destinations are parked with that reason, until
    /// ``credentialsChanged(identity:now:)``.
    public mutating func credentialsMissing(identity name: String, _ failure: SendFailure, now: Instant) {
        bar(name, Fault(failure, disposition: Disposition(failure), at: now))
    }

    /// The identity has other credentials than before: what was refused with the old ones may pass now.
    public mutating func credentialsChanged(identity name: String, now: Instant) {
        withoutCredentials.removeValue(forKey: name)
        for first in firstDependents(on: name) {
            first.identity.unbar()
            probeNow(first.identity, now)
            for state in first.identity.dependents { probeNow(state.gate, now) }
        }
    }

    /// The gate of the destination's identity, which may be without credentials already.
    mutating func identity(of destination: Destination, _ settings: DestinationSettings) -> Gate {
        let key = PlacedIdentity(identity: settings.identity, place: settings.identityPlace)
        let known = identities[key]
        let gate = known ?? Gate(window: Gate.widest)
        identities[key] = gate
        // What became of the credentials reaches gates only by destinations that depend on them.
        guard gate.dependents.isEmpty else { return gate }
        if let fault = withoutCredentials[settings.identity] {
            gate.bar(fault)
            if known == nil, let fault { actions.append(.report(.faulted(destination, fault))) }
        } else {
            gate.unbar()
        }
        return gate
    }

    private mutating func bar(_ name: String, _ fault: Fault?) {
        withoutCredentials.updateValue(fault, forKey: name)
        for first in firstDependents(on: name) {
            let gate = first.identity
            let isNews = fault.map { $0.message != gate.fault?.message } ?? false
            gate.bar(fault)
            if isNews, let fault { actions.append(.report(.faulted(first.destination, fault))) }
            stir(gate)
            for state in gate.dependents {
                if state.isDormant, state.held > 0 { state.giveBack() }
                schedule.touch(state)
            }
        }
    }

    /// One destination for each gate of the identity.
    private func firstDependents(on identity: String) -> [DestinationState] {
        all.filter { $0.settings.identity == identity && $0.identity.dependents.first === $0 }
    }
}
