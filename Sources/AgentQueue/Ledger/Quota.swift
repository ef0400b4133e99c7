// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What of a request goes to one destination.
struct Charge: Sendable {
    let position: Int
    var events = 0
    var bytes: Int64 = 0
    /// Where in the request its first and its last event are, counted from 0.
    let first: Int
    var last: Int
}

/// Whether there is room for a request, and whose events make room for it.
struct Quota: Sendable {
    /// For all queued events together, in bytes.
    var maxBytes: Int64

    /// A destination that holds more than this may not take the last tenth of the queue.
    var tenth: Int64 { maxBytes / 10 }

    func refusal(of charges: [Charge], in ledger: Ledger) -> AppendRefusal? {
        let refusal = refusal(of: charges, in: ledger, used: ledger.queuedBytes) { $0.totals.queuedBytes }
        guard refusal != nil else { return nil }
        // What is refused by an empty queue too need not come again.
        let everywhere = self.refusal(of: charges, in: ledger, used: 0) { _ in 0 }
        let sum = charges.reduce(0) { $0 + $1.bytes }
        switch everywhere {
        case .queueFull(_, let limit): return .tooLarge(bytes: sum, limitBytes: limit)
        case .lastTenth(_, _, let limit): return .tooLarge(bytes: sum, limitBytes: limit - tenth)
        case .destinationFull(let id, _, let limit):
            let bytes = charges.first { ledger.accounts[$0.position].id == id }?.bytes
            return .tooLarge(bytes: bytes ?? sum, limitBytes: limit)
        default: return refusal
        }
    }

    private func refusal(
        of charges: [Charge],
        in ledger: Ledger,
        used: Int64,
        by usage: (Ledger.Account) -> Int64
    ) -> AppendRefusal? {
        var sum: Int64 = 0
        for charge in charges { sum += charge.bytes }
        if used + sum > maxBytes { return .queueFull(usedBytes: used, limitBytes: maxBytes) }
        let isInLastTenth = used + sum > maxBytes - tenth
        for charge in charges {
            let limit = ledger.accounts[charge.position].maxBytes
            guard limit > 0 || isInLastTenth else { continue }
            let held = usage(ledger.accounts[charge.position])
            if limit > 0, held + charge.bytes > limit {
                let id = ledger.accounts[charge.position].id
                return .destinationFull(id, usedBytes: held, limitBytes: limit)
            }
            if isInLastTenth, held + charge.bytes > tenth {
                return .lastTenth(ledger.accounts[charge.position].id, usedBytes: used, limitBytes: maxBytes)
            }
        }
        return nil
    }

    /// Whose oldest events make room, and how many bytes of them at least; `nil`: none could.
    ///
    /// That is the destination that is over its share, else the one with the oldest event of all.
    func victim(for charges: [Charge], refusedBy refusal: AppendRefusal, in ledger: inout Ledger) -> (Int, Int64)? {
        let sum = charges.reduce(0) { $0 + $1.bytes }
        switch refusal {
        case .destinationFull(let id, let used, let limit):
            guard let charge = charge(to: id, of: charges, in: ledger) else { return nil }
            return (charge.position, used + charge.bytes - limit)
        case .lastTenth(let id, _, _):
            guard let charge = charge(to: id, of: charges, in: ledger) else { return nil }
            let used = ledger.accounts[charge.position].totals.queuedBytes
            let over = min(ledger.queuedBytes + sum - (maxBytes - tenth), used + charge.bytes - tenth)
            if ledger.accounts[charge.position].head != nil { return (charge.position, over) }
            return ledger.oldest().map { ($0, over) }
        case .queueFull:
            let need = ledger.queuedBytes + sum - maxBytes
            return (overShare(in: ledger) ?? ledger.oldest()).map { ($0, need) }
        case .tooLarge, .diskFull, .locked, .keyReused, .stopping, .tampered, .unknown, .storage:
            return nil
        }
    }

    private func charge(to id: DestinationID, of charges: [Charge], in ledger: Ledger) -> Charge? {
        charges.first { ledger.accounts[$0.position].id == id }
    }

    private func overShare(in ledger: Ledger) -> Int? {
        ledger.overShare.max { ledger.accounts[$0].excess < ledger.accounts[$1].excess }
    }
}

extension Ledger.Account {
    /// Bytes above its own share.
    var excess: Int64 { maxBytes > 0 ? totals.queuedBytes - maxBytes : 0 }
}
