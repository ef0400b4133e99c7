// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import AgentSystemd
internal import Dispatch
internal import Glibc
internal import Logging

/// Looks once a second whether the writer, delivery and intake get on, and says so: to systemd, whose watchdog restarts
/// an agent that hangs, to `/readyz`, and to operators.
///
/// The watchdog is fed only after a beat came back from each of them. The writer's comes back between two transactions,
/// of which each has a bounded size, and while it waits for a file that is locked, or for a disk that failed, to be tried
/// again: so a disk that is merely slow does no harm as long as one transaction takes less than the watchdog's time, and
/// one that never ends is found.
// `queue` guards all that varies, which is used on it only; the rest is immutable and Sendable.
final class Heartbeat: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.heartbeat")
    private let timer: any DispatchSourceTimer
    private let notifier: Notifier
    private let delivery: DeliveryLoop
    private let store: EventQueue
    private let intake: Beat
    private let condition: AgentCondition
    private let log: Logger
    private let logBuffer: LogBuffer
    private let watchdogEvery: Duration?
    private let statusEvery: Duration
    private var liveness: Liveness
    private var stalled: Set<Liveness.Part> = []
    private var nextWatchdog = ContinuousClock.now
    private var nextStatus = ContinuousClock.now
    private var isLogStuck = false
    private var isReadySaid = false
    private var isStopping = false
    private var isActive = false

    /// Calls back once a part has come to it.
    typealias Beat = @Sendable (_ reply: @escaping @Sendable () -> Void) -> Void

    /// - Parameters:
    ///   - intake: a beat through all event loops.
    ///   - every: how often to look; more often where the watchdog wants it.
    ///   - patience: how long a part may be without a turn before it is said to hang.
    init(
        notifier: Notifier,
        delivery: DeliveryLoop,
        store: EventQueue,
        intake: @escaping Beat = { $0() },
        condition: AgentCondition,
        log: Logger,
        logBuffer: LogBuffer = .stderr,
        every: Duration = .seconds(1),
        patience: Duration = .seconds(5)
    ) {
        self.notifier = notifier
        self.delivery = delivery
        self.store = store
        self.intake = intake
        self.condition = condition
        self.log = log
        self.logBuffer = logBuffer
        // A third of the watchdog's time, so that one lost beat does no harm.
        watchdogEvery = notifier.watchdogInterval.map { $0 / 3 }
        statusEvery = min(watchdogEvery ?? .seconds(10), .seconds(10))
        let every = min(watchdogEvery ?? every, every)
        liveness = Liveness(patience: Int(patience / every))
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(
            deadline: .now(),
            repeating: .nanoseconds(Int(every.wholeNanoseconds)),
            leeway: .nanoseconds(Int(every.wholeNanoseconds) / 10)
        )
        timer.setEventHandler { [weak self] in self?.look() }
    }

    /// Says that the agent is ready, and begins.
    func start() {
        queue.sync {
            sayReady()
            activate()
        }
    }

    /// Says that the agent stops; the watchdog is fed on.
    func stopping() {
        queue.sync {
            isStopping = true
            // It ends, and is not asked any more.
            returned(.intake)
            notifier.stopping()
        }
    }

    func stop() {
        queue.sync {
            timer.cancel()
            // A source must not go before it was activated.
            activate()
        }
    }

    private func activate() {
        if !isActive { timer.activate() }
        isActive = true
    }

    /// A service manager whose messages pile up hears of it with a later beat: one that never does gives up waiting.
    private func sayReady() {
        if case .failed(EAGAIN) = notifier.ready() { return }
        isReadySaid = true
    }

    private func look() {
        dispatchPrecondition(condition: .onQueue(queue))
        if !isReadySaid, !isStopping { sayReady() }
        let now = ContinuousClock.now
        if let watchdogEvery, liveness.isWhole, now >= nextWatchdog {
            notifier.watchdog()
            // Half a look early is better than a whole one late.
            nextWatchdog = now + watchdogEvery / 2
        }
        for part in liveness.look() { send(part) }
        for part in Liveness.Part.allCases where liveness.isStalled(part) && !stalled.contains(part) { stalls(part) }
        lookAtLog()
        if notifier.isWanted, now >= nextStatus {
            nextStatus = now + statusEvery
            tellStatus()
        }
    }

    private func send(_ part: Liveness.Part) {
        switch part {
        case .writer: store.beat { [self] in queue.async { self.returned(.writer) } }
        case .delivery: delivery.call { [self] _, _ in queue.async { self.returned(.delivery) } }
        case .intake where isStopping: returned(.intake)
        case .intake: intake { [self] in queue.async { self.returned(.intake) } }
        }
    }

    private func returned(_ part: Liveness.Part) {
        liveness.returned(part)
        guard stalled.remove(part) != nil else { return }
        condition.clear(part.code)
        log.notice("gets on again", metadata: ["part": "\(part)"])
    }

    private func stalls(_ part: Liveness.Part) {
        stalled.insert(part)
        condition.raise(part.code, part.message, remedy: part.remedy)
        log.error("does not get on", metadata: ["part": "\(part)", "remedy": "\(part.remedy)"])
    }

    /// A log that is not read cannot say so itself.
    private func lookAtLog() {
        guard logBuffer.isDropping != isLogStuck else { return }
        isLogStuck.toggle()
        guard isLogStuck else { return condition.clear("log_stuck") }
        condition.raise(
            "log_stuck",
            "Nobody reads the agent's log: lines are dropped, and counted.",
            remedy: "Check the journal, or what reads the agent's standard error."
        )
    }

    private func tellStatus() {
        delivery.status { [self] statuses, _ in
            queue.async { self.notifier.status(self.summary(statuses)) }
        }
    }

    private func summary(_ statuses: [DestinationStatus]) -> String {
        let totals = store.totals
        var text = "\(totals.queuedEvents) events queued, \(totals.delivered) delivered"
        let troubled = statuses.filter { $0.state != .ok && $0.lastFault != nil }
        if let first = troubled.first, let fault = first.lastFault {
            text += "; \(first.destination) \(first.state.rawValue): \(fault.code)"
            if troubled.count > 1 { text += ", and \(troubled.count - 1) more" }
        }
        return text
    }
}

extension Liveness.Part {
    /// Of the problem that says it hangs.
    var code: String {
        switch self {
        case .writer: "writer_stalled"
        case .delivery: "delivery_stalled"
        case .intake: "intake_stalled"
        }
    }

    fileprivate var message: String {
        switch self {
        case .writer: "The queue's writer has been busy with one thing for 5 seconds. Events wait for an answer."
        case .delivery: "Delivery has been busy with one thing for 5 seconds. Events are taken, but none is sent."
        case .intake: "What reads from clients has been busy with one thing for 5 seconds. Clients wait."
        }
    }

    fileprivate var remedy: String {
        switch self {
        case .writer: "Check the disk: does it hang? Under systemd, WatchdogSec= restarts an agent that hangs."
        case .delivery, .intake: "Restart the agent if it lasts. Under systemd, WatchdogSec= does."
        }
    }
}
