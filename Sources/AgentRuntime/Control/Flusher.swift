// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Dispatch
internal import Synchronization

/// Answers those who wait for an empty queue. Fed by commits, so that nobody polls.
// `queue` guards `waiters`, which are used on it only; all else is Sendable or never changes.
final class Flusher: @unchecked Sendable {
    private struct Waiter {
        let id: Int
        let deadline: DispatchTime
        let reply: ControlReply<FlushReport>
    }

    private let queue = DispatchQueue(label: "agentd.flush")
    private var waiters: [Waiter] = []
    private let nextID = Atomic(0)
    /// One for all, so that a wait leaves nothing behind when it ends early.
    private let timer: any DispatchSourceTimer
    /// Spares a commit the hop here when nobody waits.
    private let isAwaited = Atomic<Bool>(false)
    private let store: EventQueue
    private let delivery: DeliveryLoop

    init(store: EventQueue, delivery: DeliveryLoop) {
        self.store = store
        self.delivery = delivery
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.giveUp() }
        timer.activate()
    }

    /// - Parameter timeout: in seconds, within ``ControlLimits/timeoutSeconds``.
    /// - Returns: What ends the wait without a reply.
    func flush(timeout: Double, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void {
        let deadline = DispatchTime.now() + timeout
        let id = nextID.add(1, ordering: .relaxed).newValue
        queue.async { [self] in
            waiters.append(Waiter(id: id, deadline: deadline, reply: reply))
            isAwaited.store(true, ordering: .sequentiallyConsistent)
            delivery.call { machine, now in machine.flush(now: now) }
            check()
            giveUp()
        }
        return { [self] in
            queue.async { [self] in
                waiters.removeAll { $0.id == id }
                giveUp()
            }
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

    private var queued: Int { Int(clamping: store.totals.queuedEvents) }

    private func check() {
        guard queued == 0 else { return }
        for waiter in waiters { waiter.reply(.success(FlushReport(empty: true, queuedEvents: 0))) }
        waiters = []
        isAwaited.store(false, ordering: .sequentiallyConsistent)
    }

    /// Answers those whose time is over, and has the timer wake for the next.
    private func giveUp() {
        let now = DispatchTime.now()
        if waiters.contains(where: { $0.deadline <= now }) {
            let queued = queued
            for waiter in waiters where waiter.deadline <= now {
                waiter.reply(.success(FlushReport(empty: queued == 0, queuedEvents: queued)))
            }
            waiters.removeAll { $0.deadline <= now }
        }
        isAwaited.store(!waiters.isEmpty, ordering: .sequentiallyConsistent)
        timer.schedule(deadline: waiters.map(\.deadline).min() ?? .distantFuture)
    }
}
