// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Synchronization

/// Who waits for the delivery of which event. Any thread.
final class DeliveryWaiters: Sendable {
    private let waiting = Mutex(Waiting())

    /// To be called with every commit, in their order, before delivery hears of it.
    func note(_ commit: Commit) {
        if commit.awaited.isEmpty && commit.deadLettered.isEmpty && commit.removed.isEmpty { return }
        var notices = Notices()
        waiting.withLock { waiting in
            for awaited in commit.awaited {
                waiting.add(
                    awaited.id,
                    Waiter(destination: awaited.destination, token: awaited.token, receiver: awaited.receiver)
                )
            }
            for letter in commit.deadLettered {
                guard let waiter = waiting.remove(letter.id) else { continue }
                notices.add(letter.id, waiter, .deadLettered(code: letter.code, reason: letter.reason))
            }
            for removal in commit.removed {
                waiting.removeAll(of: removal.destination, through: removal.through) { id, waiter in
                    notices.add(id, waiter, .dropped)
                }
            }
        }
        notices.send()
    }

    /// Kinesis answered.
    func note(_ batch: Batch, _ outcome: SendOutcome) {
        guard case .answered(let records) = outcome, records.count == batch.shape.records else { return }
        var notices = Notices()
        waiting.withLock { waiting in
            if waiting.isEmpty { return }
            for (index, record) in records.enumerated() {
                guard case .accepted(let number, let shard) = record else { continue }
                for id in batch.events[batch.shape.events(of: index)] {
                    guard let waiter = waiting.remove(id) else { continue }
                    let outcome = DeliveryNotice.Outcome.delivered(
                        sequenceNumber: number.text ?? "",
                        shard: shard.text ?? ""
                    )
                    notices.add(id, waiter, outcome)
                }
            }
        }
        notices.send()
    }

    /// Nobody waits for the delivery of these any more. May come before the commit that they are in.
    func forget(_ events: [EventID]) {
        waiting.withLock { waiting in
            for id in events { waiting.forget(id) }
        }
    }

    /// How many wait. For tests.
    var count: Int { waiting.withLock { $0.count } }

    /// Notices for one receiver go in one call.
    private struct Notices {
        private var byReceiver: [ObjectIdentifier: (receiver: any AppendReceiver, notices: [DeliveryNotice])] = [:]

        mutating func add(_ id: EventID, _ waiter: Waiter, _ outcome: DeliveryNotice.Outcome) {
            byReceiver[ObjectIdentifier(waiter.receiver), default: (waiter.receiver, [])].notices
                .append(DeliveryNotice(token: waiter.token, id: id, outcome: outcome))
        }

        func send() {
            for (receiver, notices) in byReceiver.values { receiver.delivered(notices) }
        }
    }
}

private struct Waiter {
    let destination: DestinationID
    let token: UInt64
    let receiver: any AppendReceiver
}

/// Waiters by event, and in the order of events for each destination. Each is put in and taken out once, whatever the
/// order in which they end.
private struct Waiting {
    /// Ids in order. Those of waiters that ended are taken out when they come to the front.
    private struct Line {
        private var ids: [EventID] = []
        private var start = 0

        var first: EventID? { start < ids.count ? ids[start] : nil }

        mutating func append(_ id: EventID) { ids.append(id) }

        mutating func removeFirst() {
            start += 1
            guard start * 2 >= ids.count, start >= 32 || start == ids.count else { return }
            ids.removeFirst(start)
            start = 0
        }
    }

    private var waiters: [EventID: Waiter] = [:]
    private var lines: [DestinationID: Line] = [:]
    /// The highest one that was added. New ones come in their order, so what is above is still to come.
    private var last = EventID.zero
    /// Still to come, and not waited for any more.
    private var forgotten: Set<EventID> = []

    var isEmpty: Bool { waiters.isEmpty }
    var count: Int { waiters.count }

    mutating func add(_ id: EventID, _ waiter: Waiter) {
        if !forgotten.isEmpty, forgotten.remove(id) != nil { return }
        waiters[id] = waiter
        // Of a request that came again: it is not in line, so it is not told where its event is removed.
        if id <= last { return }
        last = id
        lines[waiter.destination, default: Line()].append(id)
    }

    mutating func remove(_ id: EventID) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        tidy(waiter.destination)
        return waiter
    }

    mutating func removeAll(of destination: DestinationID, through id: EventID, _ body: (EventID, Waiter) -> Void) {
        while let first = lines[destination]?.first, first <= id {
            lines[destination]?.removeFirst()
            if let waiter = waiters.removeValue(forKey: first) { body(first, waiter) }
        }
        tidy(destination)
    }

    mutating func forget(_ id: EventID) {
        if id > last { forgotten.insert(id) } else { _ = remove(id) }
    }

    private mutating func tidy(_ destination: DestinationID) {
        while let first = lines[destination]?.first, waiters[first] == nil { lines[destination]?.removeFirst() }
        if lines[destination]?.first == nil { lines[destination] = nil }
    }
}
