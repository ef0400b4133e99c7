// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import Dispatch
internal import Synchronization

/// The thin shell around the ``DeliveryMachine``: brings it what happened, and does what it says.
///
/// What happens is put into an inbox from any thread, and taken out in one go on the machine's queue, so that a burst
/// of answers and commits costs one hop and one plan.
// `queue` guards `machine`, `timer`, `wakesAt` and `toldNext`, which are used on it only; all else is Sendable.
final class DeliveryLoop: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agentd.delivery")
    private var machine: DeliveryMachine
    private let timer: any DispatchSourceTimer
    private var wakesAt = Instant.never

    private let inbox = Mutex(Inbox())
    private let store: EventQueue
    private let workers: WorkerPool
    private let waiters = DeliveryWaiters()
    private let report: @Sendable (DeliveryReport) -> Void
    /// Destinations whose events do not flow at the moment.
    private let stuck = Mutex<Set<DestinationID>>([])
    private let metrics: DeliveryMetrics
    /// How all destinations fared some time ago: see `publishStatus`.
    private let told = Mutex<[DestinationStatus]>([])
    private var toldNext = Instant.zero
    private let idleHandlers = Mutex<[@Sendable () -> Void]>([])

    private enum Input {
        case commit(Commit, handsOver: Bool)
        case loaded(LoadedEvents)
        case loadFailed(DestinationID)
        case answered(AttemptID, SendOutcome)
        case call(@Sendable (inout DeliveryMachine, Instant) -> Void)
    }

    private struct Inbox {
        var inputs: [Input] = []
        /// Payload bytes among the inputs.
        var bytes = 0
    }

    /// Events of commits that may wait for the machine, with their payloads; beyond this they are left to be read from the file.
    private static let mostWaitingBytes = 8 << 20

    init(
        machine: consuming sending DeliveryMachine,
        store: EventQueue,
        workers: WorkerPool,
        metrics: DeliveryMetrics = DeliveryMetrics(MetricRegistry()),
        report: @escaping @Sendable (DeliveryReport) -> Void
    ) {
        self.machine = machine
        self.store = store
        self.workers = workers
        self.report = report
        self.metrics = metrics
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in
            self?.wakesAt = .never
            self?.drain()
        }
        timer.activate()
    }

    // MARK: From other threads

    /// Nobody waits for the delivery of these events any more.
    func stoppedWaiting(for events: [EventID]) { waiters.forget(events) }

    /// A commit was made. On the writer's queue, in the order of commits.
    func committed(_ commit: Commit) {
        waiters.note(commit)
        var bytes = 0
        for appended in commit.appended {
            // Of tiny events it is not their data that needs room.
            bytes += appended.events.count * MemoryLayout<StoredEvent>.stride
            for event in appended.events { bytes += event.data.count }
        }
        let wasEmpty = inbox.withLock { inbox in
            let handsOver = inbox.bytes + bytes <= Self.mostWaitingBytes
            let wasEmpty = inbox.inputs.isEmpty
            if handsOver { inbox.bytes += bytes }
            inbox.inputs.append(.commit(handsOver ? commit : commit.withoutPayloads, handsOver: handsOver))
            return wasEmpty
        }
        if wasEmpty { queue.async { self.drain() } }
    }

    /// Does `body` with the machine, on its queue, and plans.
    func call(_ body: @escaping @Sendable (inout DeliveryMachine, Instant) -> Void) { post(.call(body)) }

    /// Whether events of the destination flow, as of the last plan.
    func isDelivering(_ id: DestinationID) -> Bool { stuck.withLock { !$0.contains(id) } }

    /// How all destinations fare.
    func status(_ reply: @escaping @Sendable ([DestinationStatus], Instant) -> Void) {
        call { machine, now in reply(machine.status(), now) }
    }

    /// How all destinations fared about a second ago; of very many, some seconds. Does not wait for the machine's turn.
    var lastStatus: [DestinationStatus] { told.withLock { $0 } }

    /// Sends nothing more, and calls `done` once no request is under way.
    func stop(done: @escaping @Sendable () -> Void) {
        idleHandlers.withLock { $0.append(done) }
        call { machine, _ in machine.stop() }
    }

    private func post(_ input: Input) {
        let wasEmpty = inbox.withLock { inbox in
            defer { inbox.inputs.append(input) }
            return inbox.inputs.isEmpty
        }
        if wasEmpty { queue.async { self.drain() } }
    }

    // MARK: On the machine's queue

    private func drain() {
        dispatchPrecondition(condition: .onQueue(queue))
        let inputs = inbox.withLock { inbox in
            defer { inbox = Inbox() }
            return inbox.inputs
        }
        let now = Instant.now()
        for input in inputs {
            switch input {
            case .commit(let commit, let handsOver): machine.committed(commit, handsOver: handsOver, now: now)
            case .loaded(let events): machine.loaded(events, now: now)
            case .loadFailed(let id): machine.loadFailed(id, now: now)
            case .answered(let attempt, let outcome): machine.answered(attempt, outcome, now: now)
            case .call(let body): body(&machine, now)
            }
        }
        let plan = machine.plan(now: now)
        perform(plan.actions)
        schedule(plan.wakeAt, now: now)
        publishStuck()
        publishStatus(now)
        if machine.isStopping, machine.requestsInFlight == 0 {
            let handlers = idleHandlers.withLock { handlers in
                defer { handlers = [] }
                return handlers
            }
            for handler in handlers { handler() }
        }
    }

    private func perform(_ actions: [DeliveryAction]) {
        var settlements: [Settlement] = []
        var letters: [DeadLetter] = []
        for action in actions {
            switch action {
            case .send(let batch): send(batch)
            case .load(let request): load(request)
            case .settle(let settlement): settlements.append(settlement)
            case .deadLetter(let letter): letters.append(letter)
            case .cancel(let attempt): workers.cancelStalled(attempt)
            case .report(let news): report(news)
            }
        }
        if !settlements.isEmpty { store.settle(settlements) }
        if !letters.isEmpty { store.deadLetter(letters) }
    }

    private func send(_ batch: Batch) {
        metrics.began(batch)
        let began = Instant.now()
        workers.send(batch) { [self] batch, outcome in
            metrics.ended(batch, outcome, after: .now() - began)
            waiters.note(batch, outcome)
            post(.answered(batch.attempt, outcome))
        }
    }

    private func load(_ request: LoadRequest) {
        store.load(request) { [self] result in
            switch result {
            case .success(let events): post(.loaded(events))
            case .failure: post(.loadFailed(request.destination))
            }
        }
    }

    private func schedule(_ wakeAt: Instant, now: Instant) {
        guard wakeAt != wakesAt else { return }
        wakesAt = wakeAt
        if wakeAt == .never {
            timer.schedule(deadline: .distantFuture)
        } else {
            let wait = max(0, (wakeAt - now).wholeNanoseconds)
            timer.schedule(deadline: .now() + .nanoseconds(Int(wait)), leeway: .microseconds(500))
        }
    }

    /// Leaves a copy for those who must not hold delivery up, after as long as it takes a thousandth of the time at most.
    /// The heartbeat sees to it that there is a turn every second.
    private func publishStatus(_ now: Instant) {
        guard now >= toldNext else { return }
        let status = machine.status()
        toldNext = now + max(.seconds(1), .milliseconds(status.count))
        told.withLock { $0 = status }
    }

    private func publishStuck() {
        let changes = machine.takeStuckChanges()
        guard !changes.isEmpty else { return }
        stuck.withLock { stuck in
            for (id, isStuck) in changes {
                if isStuck { stuck.insert(id) } else { stuck.remove(id) }
            }
        }
    }
}

extension Commit {
    /// The same commit, its events reduced to the last id of each destination.
    fileprivate var withoutPayloads: Commit {
        var commit = self
        commit.appended = appended.map { appended in
            let last = appended.events.suffix(1).map {
                StoredEvent(id: $0.id, key: .none, acceptedMS: $0.acceptedMS, data: .empty)
            }
            return Appended(destination: appended.destination, events: last)
        }
        return commit
    }
}
