// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Synchronization

/// The numbers of destinations, for all threads. Handing one out does not touch the disk: its row is made with its
/// first event, so a number that never got one may go to another destination after a restart.
final class Registry: Sendable {
    struct Entry: Sendable {
        let destination: Destination
        var maxBytes: Int64 = 0
    }

    private struct State {
        var ids: [Destination: DestinationID] = [:]
        var entries: [DestinationID: Entry] = [:]
        var next: Int64 = 1
    }

    private let state = Mutex(State())

    init(_ ledger: Ledger) { adopt(ledger) }

    /// Enters the destinations of a file.
    func adopt(_ ledger: Ledger) {
        state.withLock { state in
            // The ledger has plausible numbers only.
            for account in ledger.accounts where state.entries[account.id] == nil {
                state.ids[account.destination] = account.id
                state.entries[account.id] = Entry(destination: account.destination)
                state.next = max(state.next, account.id.rawValue + 1)
            }
        }
    }

    func id(of destination: Destination) -> DestinationID {
        state.withLock { state in
            if let id = state.ids[destination] { return id }
            let id = DestinationID(state.next)
            state.next += 1
            state.ids[destination] = id
            state.entries[id] = Entry(destination: destination)
            return id
        }
    }

    /// - Precondition: `id` came from this registry.
    func entry(_ id: DestinationID) -> Entry {
        state.withLock { state in
            guard let entry = state.entries[id] else {
                preconditionFailure("destination \(id) is not one of this queue")
            }
            return entry
        }
    }

    func setLimit(_ maxBytes: Int64, of id: DestinationID) {
        state.withLock { $0.entries[id]?.maxBytes = maxBytes }
    }
}
