// SPDX-License-Identifier: Apache-2.0
import AgentCore

extension Ledger {
    /// What is wrong with an account as a file gives it; `nil`: nothing that its own numbers would tell.
    ///
    /// SQLite has no checksums, and a bit that flips in a count or in the next id would do more harm than one in an
    /// event: a queue that takes itself for full, or ids that exist already. Such a file is damaged like any other.
    ///
    /// - Parameter isWhole: Whether all its rows are in the file.
    func fault(of account: Account, isWhole: Bool, fileBytes: Int64) -> String? {
        let totals = account.totals
        if let head = account.head, head.id < EventID(1) { return "the first event of \(account.id) is \(head.id)" }
        if account.last >= nextID { return "event \(account.last) is there, and the next one was to be \(nextID)" }
        if !totals.isBalanced { return "the totals of \(account.id) do not balance" }
        guard isWhole else { return nil }
        if (totals.queuedEvents == 0) != (account.head == nil) || totals.deadEvents > totals.deadLettered {
            return "the counts of \(account.id) are not those of its events"
        }
        let queued = totals.queuedBytes - totals.queuedEvents * QueueTotals.eventOverhead
        let dead = totals.deadBytes - totals.deadEvents * QueueTotals.eventOverhead
        if !(0...fileBytes).contains(queued) || !(0...fileBytes).contains(dead) {
            return "the bytes of \(account.id) are not those of its events"
        }
        return nil
    }
}
