// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Dispatch
internal import Synchronization

/// Answers those who wait for an empty queue. Fed by commits, so that nobody polls.
// `queue` guards `waiters` and `lastID`, which are used on it only.
final class Flusher: @unchecked Sendable {
    private struct Waiter {
        let id: Int
        let reply: ControlReply<FlushReport>
    }

    private let queue = DispatchQueue(label: "agentd.flush")
    private var waiters: [Waiter] = []
    private var lastID = 0
    /// Spares a commit the hop here when nobody waits.
    private let isAwaited = Atomic<Bool>(false)
    private let store: EventQueue
    private let delivery: DeliveryLoop

    init(store: EventQueue, delivery: DeliveryLoop) {
        self.store = store
        self.delivery = delivery
    }

    func flush(timeout: Double, reply: @escaping ControlReply<FlushReport>) {
        queue.async { [self] in
            lastID += 1
            let id = lastID
            waiters.append(Waiter(id: id, reply: reply))
            isAwaited.store(true, ordering: .sequentiallyConsistent)
            delivery.call { machine, now in machine.flush(now: now) }
            check()
            queue.asyncAfter(deadline: .now() + max(0, timeout)) { [self] in giveUp(id) }
        }
    }

    /// A commit was made.
    func committed() {
        guard isAwaited.load(ordering: .sequentiallyConsistent) else { return }
        queue.async { [self] in
            if waiters.isEmpty { return }
            // What came since the last call is in a hurry too.
            delivery.call { machine, _ in machine.hurry() }
            check()
        }
    }

    private func check() {
        let queued = Int(store.snapshot().totals.queuedEvents)
        guard queued == 0 else { return }
        for waiter in waiters { waiter.reply(.success(FlushReport(empty: true, queuedEvents: 0))) }
        waiters = []
        isAwaited.store(false, ordering: .sequentiallyConsistent)
    }

    private func giveUp(_ id: Int) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        let queued = Int(store.snapshot().totals.queuedEvents)
        waiters.remove(at: index).reply(.success(FlushReport(empty: queued == 0, queuedEvents: queued)))
    }
}
