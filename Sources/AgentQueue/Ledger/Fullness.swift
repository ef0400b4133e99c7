// SPDX-License-Identifier: Apache-2.0
public import AgentCore

/// A destination whose share of the queue is used up.
public struct FullShare: Hashable, Sendable {
    public let destination: Destination
    public let usedBytes: Int64
    public let limitBytes: Int64
}

/// Which limits turn events away now: from the first refusal until there is room again for what was refused, and nothing
/// was for a while.
struct Fullness {
    /// How long after a refusal a limit still counts as met, in nanoseconds: who is refused comes again within that.
    static let patienceNS: Int64 = 3_000_000_000

    private struct Refused {
        /// Of the latest request.
        let bytes: Int64
        let lastNS: Int64
    }

    /// The whole queue is full, for all destinations or for some.
    private var queue: (refused: Refused, isForAll: Bool)?
    private var shares: [DestinationID: Refused] = [:]
    private var toldShares: [FullShare] = []

    var isEmpty: Bool { queue == nil && shares.isEmpty }

    /// Takes note of a refusal of `bytes`; what is to be told at once.
    mutating func refused(_ refusal: AppendRefusal, bytes: Int64, _ ledger: Ledger, nowNS: Int64) -> QueueNotice? {
        switch refusal {
        case .queueFull(let used, let limit):
            return queueRefused(bytes, isForAll: true, used: used, limit: limit, nowNS)
        case .lastTenth(_, let used, let limit):
            // Where there is no other, nobody is left to take the last tenth.
            let isForAll = ledger.accounts.count == 1
            return queueRefused(bytes, isForAll: isForAll, used: used, limit: limit, nowNS)
        case .destinationFull(let id, _, _):
            let wasEmpty = shares.isEmpty
            shares[id] = Refused(bytes: bytes, lastNS: nowNS)
            // The others are told together.
            return wasEmpty ? sharesNotice(ledger) : nil
        case .tooLarge, .diskFull, .locked, .keyReused, .stopping, .tampered, .unknown, .storage:
            return nil
        }
    }

    private mutating func queueRefused(
        _ bytes: Int64,
        isForAll: Bool,
        used: Int64,
        limit: Int64,
        _ nowNS: Int64
    ) -> QueueNotice? {
        let known = queue
        queue = (Refused(bytes: bytes, lastNS: nowNS), isForAll || known?.isForAll ?? false)
        guard known?.isForAll != queue?.isForAll else { return nil }
        return .queueFull(usedBytes: used, limitBytes: limit, isForAll: isForAll)
    }

    /// What has changed since.
    mutating func review(_ ledger: Ledger, maxBytes: Int64, nowNS: Int64) -> [QueueNotice] {
        var notices: [QueueNotice] = []
        if let (refused, isForAll) = queue, nowNS - refused.lastNS >= Self.patienceNS {
            let room = isForAll && ledger.accounts.count > 1 ? maxBytes : maxBytes - maxBytes / 10
            if ledger.queuedBytes + refused.bytes <= room {
                queue = nil
                notices.append(.queueHasRoom)
            }
        }
        for (id, refused) in shares where nowNS - refused.lastNS >= Self.patienceNS {
            guard let position = ledger.position(of: id) else {
                shares[id] = nil
                continue
            }
            let account = ledger.accounts[position]
            if account.maxBytes == 0 || account.totals.queuedBytes + refused.bytes <= account.maxBytes {
                shares[id] = nil
            }
        }
        if let notice = sharesNotice(ledger) { notices.append(notice) }
        return notices
    }

    /// `nil` where the destinations are those that were told.
    private mutating func sharesNotice(_ ledger: Ledger) -> QueueNotice? {
        let full = shares.keys.sorted().compactMap { id in
            ledger.position(of: id).map { position in
                let account = ledger.accounts[position]
                return FullShare(
                    destination: account.destination,
                    usedBytes: account.totals.queuedBytes,
                    limitBytes: account.maxBytes
                )
            }
        }
        guard full.map(\.destination) != toldShares.map(\.destination) else { return nil }
        toldShares = full
        return .sharesFull(full)
    }
}
