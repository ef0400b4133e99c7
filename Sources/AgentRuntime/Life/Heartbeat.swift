// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import AgentSystemd
internal import Dispatch

/// Tells systemd that the agent is alive and how it fares. A beat passes through delivery's queue first: an agent
/// whose delivery hangs stops beating, and is restarted by the watchdog.
// Dispatch sources may be used from any thread; all else in it is immutable and Sendable.
final class Heartbeat: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.heartbeat")
    private let timer: any DispatchSourceTimer
    private let notifier: Notifier
    private let delivery: DeliveryLoop
    private let store: EventQueue

    init(notifier: Notifier, delivery: DeliveryLoop, store: EventQueue) {
        self.notifier = notifier
        self.delivery = delivery
        self.store = store
        timer = DispatchSource.makeTimerSource(queue: queue)
    }

    func start() {
        // A third of the watchdog's time, so that one lost beat does no harm.
        let watchdog = notifier.watchdogInterval
        let every = watchdog.map { min($0 / 3, .seconds(10)) } ?? .seconds(10)
        timer.schedule(
            deadline: .now(),
            repeating: .nanoseconds(Int(every.wholeNanoseconds)),
            leeway: .milliseconds(100)
        )
        timer.setEventHandler { [self] in beat(watchdog: watchdog != nil) }
        timer.activate()
    }

    func stop() { timer.cancel() }

    private func beat(watchdog: Bool) {
        delivery.status { [self] statuses, _ in
            if watchdog { notifier.watchdog() }
            notifier.status(summary(statuses))
        }
    }

    private func summary(_ statuses: [DestinationStatus]) -> String {
        let totals = store.snapshot().totals
        var text = "\(totals.queuedEvents) events queued, \(totals.delivered) delivered"
        let troubled = statuses.filter { $0.state != .ok && $0.lastFault != nil }
        if let first = troubled.first, let fault = first.lastFault {
            text += "; \(first.destination) \(first.state.rawValue): \(fault.code)"
            if troubled.count > 1 { text += ", and \(troubled.count - 1) more" }
        }
        return text
    }
}
