// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc
internal import NIOCore

/// All that the connections of one event loop share: the way to the queue and back, the memory, the clock.
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
    let metricsPage: IngestServer.MetricsPage
    var metricsPace = MetricsPace()
    @exclusivity(unchecked) var tally: IngestTally
    private let metrics: IngestMetrics
    /// What every connection of this loop is read into.
    let readBuffer = ReadBuffer()
    let queue: any EventAppending

    /// Some moment of the last turn: the clock is read once a sweep, not once a request.
    private(set) var now: NIODeadline
    /// The `Date` field of replies, of the same moment.
    private(set) var date = ""
    // Unchecked, here and below: see `HTTPConversation.exchanges`.
    @exclusivity(unchecked) var budget: ByteBudget<Connection>
    /// Reads so far.
    private var reads: UInt64 = 0
    var isJudging = false
    var shortages = Recurring()
    private var greetingsOfTLS = Recurring()
    /// The most that was held since memory was last given back to the system.
    var peakHeld = 0
    private(set) var isDraining = false
    @exclusivity(unchecked) var unflushed: [Connection] = []

    private(set) var connections: [ObjectIdentifier: Connection] = [:]
    /// Those that were interrupted for the others' sake.
    var turns = CircularBuffer<Connection>()
    var isTurnScheduled = false
    /// What is with the queue, or waits for Kinesis.
    @exclusivity(unchecked) var requests: PendingRequests<Owner>
    /// What came up in this turn, for the queue.
    @exclusivity(unchecked) var batch: [AppendRequest] = []
    /// When waits are looked at next.
    var nextLook: NIODeadline?
    /// Events that are stored, and whose delivery nobody waits for any more.
    var givenUp: [EventID] = []
    private var sweeper: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private let closed: @Sendable (Door, _ isSurplus: Bool) -> Void
    let stoppedWaiting: @Sendable ([EventID]) -> Void
    let notify: @Sendable (IngestNotice) -> Void

    init(
        eventLoop: any EventLoop,
        settings: IngestSettings,
        directory: any StreamDirectory,
        queue: any EventAppending,
        readiness: @escaping @Sendable () -> Readiness,
        metricsPage: @escaping IngestServer.MetricsPage = { $0([]) },
        metrics: IngestMetrics = IngestMetrics(MetricRegistry()),
        connectionClosed: @escaping @Sendable (Door, _ isSurplus: Bool) -> Void,
        stoppedWaiting: @escaping @Sendable ([EventID]) -> Void = { _ in },
        notify: @escaping @Sendable (IngestNotice) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        self.queue = queue
        self.readiness = readiness
        self.metricsPage = metricsPage
        self.metrics = metrics
        tally = IngestTally(metrics)
        closed = connectionClosed
        self.stoppedWaiting = stoppedWaiting
        self.notify = notify
        rules = RequestRules(settings, directory)
        access = AccessRules(settings)
        times = Times(
            idle: TimeAmount(settings.idleTimeout),
            head: TimeAmount(settings.headTimeout),
            body: TimeAmount(settings.bodyTimeout),
            putWait: TimeAmount(settings.putWait)
        )
        requests = PendingRequests(maxAwaiting: settings.maxWaiting / max(settings.eventLoops, 1))
        budget = ByteBudget(
            limit: max(settings.memoryBytes / max(settings.eventLoops, 1), settings.maxRequestBytes)
        )
        now = eventLoop.now
    }

    // MARK: Connections

    /// Somebody began with TLS.
    func metTLS() {
        if let untold = greetingsOfTLS.happened(at: eventLoop.now) { notify(.tlsMet(connections: untold)) }
    }

    func add(_ connection: Connection) {
        if connections.isEmpty { readClock() }
        if sweeper == nil {
            // Not weakly: the task ends soon after the last connection, and what is once held weakly is slow to hold at all.
            sweeper = eventLoop.scheduleRepeatedTask(initialDelay: times.sweep, delay: times.sweep) { _ in
                self.sweep()
            }
        }
        connections[ObjectIdentifier(connection)] = connection
        if !connection.isStream { metrics.connections(of: connection.door).add(1) }
        if isDraining { connection.close() }
    }

    func remove(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if !connection.isStream {
            closed(connection.door, connection.isSurplus)
            metrics.connections(of: connection.door).add(-1)
        }
        budget.forget(connection)
        grant()
        if connections.isEmpty {
            if !isMemoryWatched || isDraining { stopSweeping() }
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
        lookAfterMemory()
        if connections.isEmpty, !isMemoryWatched { stopSweeping() }
    }

    private func stopSweeping() {
        sweeper?.cancel()
        sweeper = nil
    }

    /// The number of the next read.
    @inline(__always)
    func nextRead() -> UInt64 {
        reads &+= 1
        return reads
    }

    /// Writes what connections have to say.
    func flush() {
        while !unflushed.isEmpty {
            let all = unflushed
            unflushed.removeAll(keepingCapacity: true)
            for connection in all { connection.flushNow() }
        }
        tally.tellMemory(budget.held)
    }

    /// Ends every connection after what it has in progress; the future is done when none is left.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        if connections.isEmpty {
            stopSweeping()
            return eventLoop.makeSucceededVoidFuture()
        }
        let promise = drained ?? eventLoop.makePromise(of: Void.self)
        drained = promise
        // Who waits for Kinesis is told that the event is kept.
        requests.drain()
        endWaits()
        for connection in Array(connections.values) { connection.drain() }
        flush()
        return promise.futureResult
    }

    func closeAll() {
        isDraining = true
        if connections.isEmpty { stopSweeping() }
        for connection in Array(connections.values) { connection.close() }
    }
}
