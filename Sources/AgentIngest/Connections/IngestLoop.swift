// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc
internal import NIOCore

/// All that the connections of one event loop share: the way to the queue and back, the memory, the clock.
///
/// Events that come up during one turn of the loop are handed over together, at its end; answers come back with one
/// hop for all of a commit, and leave with one write for each connection.
///
/// Sendable by confinement: everything that changes is only touched on `eventLoop`; `appended` and `delivered`, which
/// are called from elsewhere, do nothing but hop there.
final class IngestLoop: AppendReceiver, @unchecked Sendable {
    struct Times {
        let idle: TimeAmount
        let head: TimeAmount
        let body: TimeAmount
        let putWait: TimeAmount

        /// How often connections are looked at: the error of every time-out but `putWait`.
        var sweep: TimeAmount {
            .nanoseconds(max(min(1_000_000_000, min(idle, head, body).nanoseconds / 4), 1_000_000))
        }
    }

    let eventLoop: any EventLoop
    let rules: RequestRules
    let access: AccessRules
    let times: Times
    let readiness: @Sendable () -> Readiness
    private let queue: any EventAppending
    private let maxWaiting: Int

    /// Some moment of the last turn: the clock is read once a sweep, not once a request.
    private(set) var now: NIODeadline
    /// The `Date` field of replies, of the same moment.
    private(set) var date = ""
    // Unchecked, here and below: see `HTTPConversation.exchanges`.
    @exclusivity(unchecked) private(set) var budget: ByteBudget<Connection>
    private(set) var isDraining = false
    @exclusivity(unchecked) var unflushed: [Connection] = []

    private var connections: [ObjectIdentifier: Connection] = [:]
    @exclusivity(unchecked) private var pending = PendingAppends()
    @exclusivity(unchecked) private var batch: [AppendRequest] = []
    /// Tokens of those that wait for delivery, by the time at which they stop; the time is the same for all.
    private var waiting = CircularBuffer<(until: NIODeadline, token: UInt64)>()
    private var waitingCount = 0
    private var isWaitScheduled = false
    private var sweeper: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private let closed: @Sendable () -> Void

    init(
        eventLoop: any EventLoop,
        settings: IngestSettings,
        directory: any StreamDirectory,
        queue: any EventAppending,
        readiness: @escaping @Sendable () -> Readiness,
        connectionClosed: @escaping @Sendable () -> Void
    ) {
        self.eventLoop = eventLoop
        self.queue = queue
        self.readiness = readiness
        closed = connectionClosed
        rules = RequestRules(settings, directory)
        access = AccessRules(settings)
        times = Times(
            idle: TimeAmount(settings.idleTimeout),
            head: TimeAmount(settings.headTimeout),
            body: TimeAmount(settings.bodyTimeout),
            putWait: TimeAmount(settings.putWait)
        )
        maxWaiting = settings.maxWaiting / max(settings.eventLoops, 1)
        budget = ByteBudget(
            limit: max(settings.memoryBytes / max(settings.eventLoops, 1), settings.maxRequestBytes)
        )
        now = eventLoop.now
    }

    // MARK: Connections

    func add(_ connection: Connection) {
        if connections.isEmpty {
            readClock()
            // Not weakly: the task ends with the last connection, and what is once held weakly is slow to hold at all.
            sweeper = eventLoop.scheduleRepeatedTask(initialDelay: times.sweep, delay: times.sweep) { _ in
                self.sweep()
            }
        }
        connections[ObjectIdentifier(connection)] = connection
        if isDraining { connection.close() }
    }

    func remove(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        closed()
        endGrowth(of: connection)
        if connections.isEmpty {
            sweeper?.cancel()
            sweeper = nil
            drained?.succeed()
            drained = nil
        }
    }

    private func readClock() {
        now = eventLoop.now
        date = HTTPDate.field(max(time(nil), 0))
    }

    private func sweep() {
        readClock()
        for connection in Array(connections.values) { connection.sweep(now: now) }
        flush()
    }

    /// Writes what connections have to say.
    func flush() {
        while !unflushed.isEmpty {
            let all = unflushed
            unflushed.removeAll(keepingCapacity: true)
            for connection in all { connection.flushNow() }
        }
    }

    /// Ends every connection after what it has in progress; the future is done when none is left.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        if connections.isEmpty { return eventLoop.makeSucceededVoidFuture() }
        let promise = drained ?? eventLoop.makePromise(of: Void.self)
        drained = promise
        // Who waits for Kinesis is told that the event is kept.
        while let (_, token) = waiting.popFirst() { stopWaiting(token) }
        for connection in Array(connections.values) { connection.drain() }
        flush()
        return promise.futureResult
    }

    func closeAll() {
        isDraining = true
        for connection in Array(connections.values) { connection.close() }
    }

    // MARK: Memory

    func reserve(_ bytes: Int, for connection: Connection, grows: Bool = false) -> Bool {
        budget.reserve(bytes, for: connection, grows: grows)
    }

    func charge(_ bytes: Int) { budget.charge(bytes) }

    func release(_ bytes: Int) {
        budget.release(bytes)
        grant()
    }

    func endGrowth(of connection: Connection) {
        budget.endGrowth(of: connection)
        grant()
    }

    private func grant() {
        while let (connection, bytes) = budget.nextGrant() {
            if !connection.roomGranted() { budget.release(bytes) }
        }
    }

    // MARK: To the queue and back

    /// - Parameter bytes: what the events hold of the budget, to be released with the answer.
    func append(
        _ events: [NewEvent],
        bytes: Int,
        owner: PendingAppends.Entry.Owner,
        awaitsDelivery: Bool = false
    ) {
        var awaits = awaitsDelivery
        let destination = events[0].destination
        if awaits {
            awaits = waitingCount < maxWaiting && !isDraining && rules.directory.isDelivering(destination)
            if awaits { waitingCount += 1 }
        }
        let entry = PendingAppends.Entry(
            owner: owner,
            destination: destination,
            count: events.count,
            bytes: bytes,
            awaitsDelivery: awaits
        )
        let token = pending.insert(entry)
        if batch.isEmpty { eventLoop.execute { self.handOver() } }
        batch.append(AppendRequest(events: events, awaitsDelivery: awaits, token: token, receiver: self))
    }

    private func handOver() {
        let requests = batch
        batch = []
        batch.reserveCapacity(requests.count)
        queue.append(requests)
    }

    func appended(_ answers: [AppendAnswer]) {
        eventLoop.execute {
            for answer in answers { self.settle(answer) }
            self.flush()
        }
    }

    func delivered(_ notices: [DeliveryNotice]) {
        eventLoop.execute {
            for notice in notices { self.settle(notice) }
            self.flush()
        }
    }

    private func settle(_ answer: AppendAnswer) {
        if case .stored(let first) = answer.outcome, waitingCount > 0, !isDraining,
            let entry = pending[answer.token], entry.awaitsDelivery, rules.directory.isDelivering(entry.destination)
        {
            pending.update(answer.token) {
                $0.first = first
                $0.bytes = 0
            }
            release(entry.bytes)
            wait(answer.token)
            return
        }
        guard let entry = remove(answer.token) else { return }
        switch entry.owner {
        case .exchange(let conversation, let sequence, let shape):
            conversation.answer(sequence, shape, answer.outcome, count: entry.count)
        case .lines(let conversation):
            conversation.answered(answer.outcome)
        }
        release(entry.bytes)
    }

    private func settle(_ notice: DeliveryNotice) {
        // Delivery may be heard of before the commit that came first: what is delivered was stored.
        guard let entry = remove(notice.token) else { return }
        if case .exchange(let conversation, let sequence, _) = entry.owner {
            conversation.answer(sequence, notice)
        }
        release(entry.bytes)
    }

    @discardableResult
    private func remove(_ token: UInt64) -> PendingAppends.Entry? {
        guard let entry = pending.remove(token) else { return nil }
        if entry.awaitsDelivery { waitingCount -= 1 }
        return entry
    }

    private func wait(_ token: UInt64) {
        // Those answered meanwhile are still in line; they must not pile up.
        if waiting.count >= 4 * maxWaiting { waiting = CircularBuffer(waiting.filter { pending[$0.token] != nil }) }
        waiting.append((eventLoop.now + times.putWait, token))
        scheduleWait()
    }

    private func scheduleWait() {
        guard !isWaitScheduled, let next = waiting.first else { return }
        isWaitScheduled = true
        eventLoop.scheduleTask(deadline: next.until) { self.waitIsOver() }
    }

    private func waitIsOver() {
        isWaitScheduled = false
        let now = eventLoop.now
        while let next = waiting.first, next.until <= now {
            waiting.removeFirst()
            stopWaiting(next.token)
        }
        flush()
        scheduleWait()
    }

    /// Answers that the event is kept, if nothing else was answered yet.
    private func stopWaiting(_ token: UInt64) {
        guard let first = pending[token]?.first, let entry = remove(token) else { return }
        if case .exchange(let conversation, let sequence, let shape) = entry.owner {
            conversation.answer(sequence, shape, .stored(first: first), count: entry.count)
        }
        release(entry.bytes)
    }
}
