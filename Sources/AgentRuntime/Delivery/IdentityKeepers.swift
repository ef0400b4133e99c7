// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentKinesis

/// Whose credentials requests are signed with. Each destination has one; many may have the same.
struct Identity: Hashable {
    let name: String

    /// The agent's own, from wherever its environment or its profile says.
    static let agent = Identity(name: "agent")
}

/// Who keeps the credentials of which identity. Any thread.
struct IdentityKeepers: Sendable {
    private let keepers: [Identity: CredentialKeeper]

    init(_ wiring: KinesisWiring, clocks: EndpointClocks) {
        keepers = Dictionary(
            uniqueKeysWithValues: wiring.identities.map { identity in
                (identity, CredentialKeeper(wiring.credentials(of: identity), time: clocks.serviceTime))
            }
        )
    }

    subscript(identity: Identity) -> CredentialKeeper {
        guard let keeper = keepers[identity] else {
            preconditionFailure("\(identity.name) is not among the identities")
        }
        return keeper
    }

    /// What each identity has at hand.
    var states: [(identity: Identity, credentials: Credentials?)] {
        keepers.sorted { $0.key.name < $1.key.name }.map { ($0.key, try? $0.value.credentials()) }
    }

    /// Makes the machine wait for the credentials: to be called before it plans.
    func holdBack(_ machine: inout DeliveryMachine) {
        for identity in keepers.keys { machine.credentialsAwaited(identity: identity.name) }
    }

    /// Begins to get them, and tells delivery of each change.
    func start(_ delivery: DeliveryLoop) {
        for (identity, keeper) in keepers {
            keeper.start { [weak delivery] answer in
                delivery?.call { machine, now in
                    switch answer {
                    case .success: machine.credentialsChanged(identity: identity.name, now: now)
                    case .failure(let error):
                        machine.credentialsMissing(identity: identity.name, error.failure, now: now)
                    }
                }
            }
        }
    }
}
