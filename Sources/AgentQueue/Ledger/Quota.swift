// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What of a request goes to one destination.
struct Charge: Sendable {
    var position: Int
    var events: Int
    var bytes: Int64
}

/// Whether there is room for a request, and whose events make room for it.
struct Quota: Sendable {
    /// For all queued events together, in bytes.
    var maxBytes: Int64

    /// A destination that holds more than this may not take the last tenth of the queue.
    var tenth: Int64 { maxBytes / 10 }

    func refusal(of charges: [Charge], in ledger: Ledger) -> AppendRefusal? {
        var sum: Int64 = 0
        for charge in charges { sum += charge.bytes }
        if ledger.queuedBytes + sum > maxBytes {
            return .queueFull(usedBytes: ledger.queuedBytes, limitBytes: maxBytes)
        }
        let isInLastTenth = ledger.queuedBytes + sum > maxBytes - tenth
        for charge in charges {
            let account = ledger.accounts[charge.position]
            let used = account.totals.queuedBytes
            if account.maxBytes > 0, used + charge.bytes > account.maxBytes {
                return .destinationFull(account.id, usedBytes: used, limitBytes: account.maxBytes)
            }
            if isInLastTenth, used + charge.bytes > tenth {
                return .destinationFull(account.id, usedBytes: used, limitBytes: maxBytes - tenth)
            }
        }
        return nil
    }

    /// Whose oldest events make room, and how many bytes of them at least; `nil`: none could.
    ///
    /// That is the destination that is over its share, else the one with the oldest event of all.
    func victim(for charges: [Charge], refusedBy refusal: AppendRefusal, in ledger: Ledger) -> (Int, Int64)? {
        let sum = charges.reduce(0) { $0 + $1.bytes }
        guard sum <= maxBytes else { return nil }
        switch refusal {
        case .destinationFull(let id, _, _):
            guard let charge = charges.first(where: { ledger.accounts[$0.position].id == id }) else { return nil }
            let account = ledger.accounts[charge.position]
            let used = account.totals.queuedBytes
            if account.maxBytes > 0, used + charge.bytes > account.maxBytes {
                guard charge.bytes <= account.maxBytes else { return nil }
                return (charge.position, used + charge.bytes - account.maxBytes)
            }
            let over = min(ledger.queuedBytes + sum - (maxBytes - tenth), used + charge.bytes - tenth)
            if account.head != nil { return (charge.position, over) }
            return oldest(in: ledger).map { ($0, over) }
        case .queueFull:
            let need = ledger.queuedBytes + sum - maxBytes
            return (overShare(in: ledger) ?? oldest(in: ledger)).map { ($0, need) }
        case .diskFull, .stopping, .tampered, .unknown, .storage:
            return nil
        }
    }

    private func overShare(in ledger: Ledger) -> Int? {
        ledger.accounts.indices
            .filter { ledger.accounts[$0].excess > 0 }
            .max { ledger.accounts[$0].excess < ledger.accounts[$1].excess }
    }

    private func oldest(in ledger: Ledger) -> Int? {
        ledger.accounts.indices
            .filter { ledger.accounts[$0].head != nil }
            .min { (ledger.accounts[$0].head?.id ?? .zero) < (ledger.accounts[$1].head?.id ?? .zero) }
    }
}

extension Ledger.Account {
    /// Bytes above its own share.
    fileprivate var excess: Int64 { maxBytes > 0 ? totals.queuedBytes - maxBytes : 0 }
}
