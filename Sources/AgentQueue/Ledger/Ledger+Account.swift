// SPDX-License-Identifier: Apache-2.0
import AgentCore

extension Ledger {
    /// The oldest event of a destination.
    struct Head: Hashable, Sendable {
        let id: EventID
        let acceptedMS: Int64
    }

    struct Account: Sendable {
        let id: DestinationID
        let destination: Destination
        /// Whether the file has its row and its table of events.
        var isStored = false
        var isPaused = false
        /// Its own share of the queue, in bytes; 0: none of its own.
        var maxBytes: Int64 = 0
        var totals = QueueTotals()
        /// `nil` while it has no events.
        var head: Head?
        /// The last event that was ever stored for it, as far as the file tells.
        var last = EventID.zero
        /// Its events below this id are still to come from a damaged file, which is why it has no head; zero: none.
        var heldBelow = EventID.zero
        /// Whether its totals differ from the file's.
        var isTouched = false
        /// Whether it is among the changes that are still to be published.
        var isUnpublished = false
        /// The transaction that took down how it was before.
        var keptBy = 0
    }
}
