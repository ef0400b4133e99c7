// SPDX-License-Identifier: Apache-2.0
public import AgentCore
import Synchronization

/// The queue as one commit left it.
public struct QueueSnapshot: Sendable {
    public struct Stream: Sendable {
        public let id: DestinationID
        public let destination: Destination
        public let isPaused: Bool
        /// 0: no limit of its own.
        public let maxBytes: Int64
        public let totals: QueueTotals
        /// On the agent's clock; `nil` while it has no events.
        public let oldestAge: Duration?
    }

    /// One for each destination that ever had events, and those that events were refused for.
    public let streams: [Stream]
    /// Of all destinations together.
    public let totals: QueueTotals
    public let maxBytes: Int64
    public let oldestAge: Duration?
    /// The highest id given out, ``EventID/zero`` before the first.
    public let lastID: EventID
    /// The file was deleted or replaced underneath the agent.
    public let isTampered: Bool
    /// Appends are refused for want of disk.
    public let isDiskFull: Bool
    /// Why the file cannot be used at the moment; `nil` where it can.
    public let unavailable: String?
}

/// What all threads may see of the writer: brought up to date once a commit, by what the commit changed.
final class PublishedState: Sendable {
    fileprivate struct State {
        var accounts: [Ledger.Account] = []
        var totals = QueueTotals()
        var lastID = EventID.zero
        var maxBytes: Int64
        var isTampered = false
        var isDiskFull = false
        var unavailable: String?
        var held: Set<DestinationID> = []
    }

    private let state: Mutex<State>

    init(maxBytes: Int64) { state = Mutex(State(maxBytes: maxBytes)) }

    func setMaxBytes(_ maxBytes: Int64) { state.withLock { $0.maxBytes = maxBytes } }
    func setDiskFull(_ isFull: Bool) { state.withLock { $0.isDiskFull = isFull } }
    func setHeld(_ held: Set<DestinationID>) { state.withLock { $0.held = held } }
    func isHeld(_ id: DestinationID) -> Bool { state.withLock { $0.held.contains(id) } }
    func setTampered() { state.withLock { $0.isTampered = true } }
    func setUnavailable(_ reason: String?) { state.withLock { $0.unavailable = reason } }

    /// Takes over all of a ledger.
    func set(_ ledger: inout Ledger) {
        state.withLock { state in
            ledger.publishChanges { _, _ in }
            state.accounts = ledger.accounts
            state.setSums(ledger)
            state.held = ledger.held
        }
    }

    /// Takes over what changed in the ledger since it was taken over before.
    func update(_ ledger: inout Ledger) {
        state.withLock { state in
            ledger.publishChanges { position, account in
                if position < state.accounts.count {
                    state.accounts[position] = account
                } else {
                    state.accounts.append(account)
                }
            }
            state.setSums(ledger)
        }
    }

    var totals: QueueTotals { state.withLock { $0.totals } }

    /// Holds the writer up for no longer than taking a reference takes. The writer's next change copies the accounts
    /// if this is still at it: once a snapshot, not once a commit.
    func snapshot(agentNow: Int64) -> QueueSnapshot {
        let state = state.withLock { $0 }
        func age(_ head: Ledger.Head?) -> Duration? {
            head.map { .milliseconds(max(0, agentNow - $0.acceptedMS)) }
        }
        return QueueSnapshot(
            streams: state.accounts.map {
                QueueSnapshot.Stream(
                    id: $0.id,
                    destination: $0.destination,
                    isPaused: $0.isPaused,
                    maxBytes: $0.maxBytes,
                    totals: $0.totals,
                    oldestAge: age($0.head)
                )
            },
            totals: state.totals,
            maxBytes: state.maxBytes,
            oldestAge: state.accounts.lazy.compactMap { age($0.head) }.max(),
            lastID: state.lastID,
            isTampered: state.isTampered,
            isDiskFull: state.isDiskFull,
            unavailable: state.unavailable
        )
    }
}

extension PublishedState.State {
    fileprivate mutating func setSums(_ ledger: Ledger) {
        totals = ledger.totals
        lastID = EventID(ledger.nextID.rawValue - 1)
    }
}
