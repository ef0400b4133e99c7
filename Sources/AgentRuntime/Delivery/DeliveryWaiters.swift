// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Synchronization

/// Who waits for the delivery of which event. Any thread.
final class DeliveryWaiters: Sendable {
    private struct Waiter {
        let destination: DestinationID
        let token: UInt64
        let receiver: any AppendReceiver
    }

    private let waiters: Mutex<[EventID: Waiter]> = Mutex([:])

    /// To be called with a commit before delivery hears of it.
    func note(_ commit: Commit) {
        if !commit.awaited.isEmpty { register(commit) }
        if commit.deadLettered.isEmpty && commit.removed.isEmpty { return }
        var notices = Notices()
        waiters.withLock { waiters in
            for letter in commit.deadLettered {
                guard let waiter = waiters.removeValue(forKey: letter.id) else { continue }
                notices.add(letter.id, waiter, .deadLettered(code: letter.code, reason: letter.reason))
            }
            for removal in commit.removed {
                for (id, waiter) in waiters where waiter.destination == removal.destination && id <= removal.through {
                    waiters[id] = nil
                    notices.add(id, waiter, .dropped)
                }
            }
        }
        notices.send()
    }

    private func register(_ commit: Commit) {
        var destinations: [EventID: DestinationID] = [:]
        let awaited = Set(commit.awaited.map(\.id))
        for appended in commit.appended {
            for event in appended.events where awaited.contains(event.id) {
                destinations[event.id] = appended.destination
            }
        }
        waiters.withLock { waiters in
            for awaited in commit.awaited {
                guard let destination = destinations[awaited.id] else { continue }
                waiters[awaited.id] = Waiter(
                    destination: destination,
                    token: awaited.token,
                    receiver: awaited.receiver
                )
            }
        }
    }

    /// Kinesis answered.
    func note(_ batch: Batch, _ outcome: SendOutcome) {
        guard case .answered(let records) = outcome, records.count == batch.shape.records else { return }
        var notices = Notices()
        waiters.withLock { waiters in
            if waiters.isEmpty { return }
            for (index, record) in records.enumerated() {
                guard case .accepted(let number, let shard) = record else { continue }
                for id in batch.events[batch.shape.events(of: index)] {
                    guard let waiter = waiters.removeValue(forKey: id) else { continue }
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
