// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentIngest
internal import AgentQueue
internal import AgentSystemd
internal import Dispatch
internal import Logging

// The composition root: every part is made here, once, and handed to those that need it.
//
//   IngestServer ──append──▶ EventQueue ──commits──▶ QueueTap ──▶ DeliveryLoop ──▶ WorkerPool ──▶ KinesisSender
//                               ▲                                     │
//                               └────────── settle, dead-letter ──────┘
//   ControlServer ──▶ ControlService ──▶ queue, delivery, catalog
//
// Start: settings were checked before; then the queue is opened, delivery begins, sockets are opened, READY. Whoever
// asks for a stop meanwhile has what is open closed in the same order as later.
// Stop: no new request to Kinesis and none from clients, those in progress are answered, requests under way end,
// settlements are committed, the queue is closed. What was not delivered by then is delivered after the next start.

/// A running agent.
final class Agent: Sendable {
    private let settings: Settings
    private let log: Logger
    private let condition: AgentCondition
    private let store: EventQueue
    private let workers: WorkerPool
    private let delivery: DeliveryLoop
    private let doors: Doors
    private let heartbeat: Heartbeat

    private init(
        settings: Settings,
        log: Logger,
        condition: AgentCondition,
        core: Core,
        doors: Doors
    ) {
        self.settings = settings
        self.log = log
        self.condition = condition
        self.doors = doors
        (store, workers, delivery) = (core.store, core.workers, core.delivery)
        heartbeat = Heartbeat(
            notifier: Notifier(),
            delivery: core.delivery,
            store: core.store,
            intake: doors.ingest.beat,
            condition: condition,
            log: log
        )
    }

    /// Opens the queue and the sockets, and begins to deliver.
    ///
    /// - Returns: `nil` where `stop` came first; then nothing is open.
    /// - Throws: what could not be opened, and what to do about it; then nothing is open either.
    static func start(
        settings: Settings,
        sockets: InheritedSockets,
        log: Logger,
        stop: Latch
    ) async throws -> Agent? {
        if stop.isOpen { return nil }
        let condition = AgentCondition()
        let connections = Self.shareDescriptors(settings, condition, log)
        try SocketFolders.prepare(
            [
                ("listen.socket", sockets.hasUnix ? "" : settings.listen.socket),
                ("listen.control_socket", sockets.control == nil ? settings.listen.controlSocket : ""),
            ],
            mayMake: SocketFolders.ofDefaults
        )
        for warning in settings.warnings {
            log.warning(
                "doubtful settings",
                metadata: ["message": "\(warning.message)", "remedy": "\(warning.remedy)"]
            )
            condition.raise(warning.code, warning.message, remedy: warning.remedy)
        }
        let news = News(log: log, condition: condition)
        let metrics = MetricRegistry()
        let core = try Core(settings: settings, metrics: metrics, news: news, log: log)
        do {
            if !stop.isOpen {
                let doors = try await Doors.open(
                    settings,
                    sockets,
                    connections: connections,
                    core: core,
                    metrics: metrics,
                    news: news,
                    condition: condition,
                    log: log
                )
                // Wakes delivery for what was queued before.
                core.delivery.call { _, _ in }
                core.keepers.start(core.delivery)
                return Agent(settings: settings, log: log, condition: condition, core: core, doors: doors)
            }
        } catch {
            await blocking { core.store.close() }
            throw error
        }
        await blocking { core.store.close() }
        return nil
    }

    /// How many connections intake may have, after this process was given what descriptors it needs.
    private static func shareDescriptors(_ settings: Settings, _ condition: AgentCondition, _ log: Logger) -> Int {
        let wanted = settings.listen.maxConnections
        func plan(_ limit: DescriptorLimit) -> DescriptorPlan {
            DescriptorPlan(
                wanted: wanted,
                workers: settings.delivery.workers,
                inUse: DescriptorLimit.inUse,
                limit: limit
            )
        }
        guard let limit = DescriptorLimit.current else { return wanted }
        var result = plan(limit)
        if result.softLimit > limit.soft {
            let soft = DescriptorLimit.setSoft(result.softLimit) ?? limit.soft
            if soft < result.softLimit { result = plan(DescriptorLimit(soft: soft, hard: soft)) }
        }
        log.info(
            "file descriptors shared out",
            metadata: ["limit": "\(result.softLimit)", "connections": "\(result.connections)"]
        )
        guard result.connections < wanted else { return wanted }
        let message =
            "The limit of open files (\(result.softLimit)) leaves \(result.connections) connections to clients; "
            + "listen.max_connections is \(wanted)."
        let remedy = "Raise LimitNOFILE= of the unit (ulimit -Hn), or lower listen.max_connections."
        log.warning("fewer connections than configured", metadata: ["message": "\(message)", "remedy": "\(remedy)"])
        condition.raise("descriptors_limited", message, remedy: remedy)
        return result.connections
    }

    /// Serves until `stop` is opened, then stops in order.
    func run(until stop: Latch) async {
        if !stop.isOpen {
            ProcessMemory.unmapCode()
            heartbeat.start()
            log.notice("ready", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
            await stop.wait()
        }
        await shutDown()
        heartbeat.stop()
    }

    private func shutDown() async {
        let began = ContinuousClock.now
        let schedule = StopSchedule(timeout: settings.delivery.stopTimeout)
        let sent = Latch()
        delivery.stop { sent.open() }
        condition.beginDraining()
        heartbeat.stopping()
        log.notice("stopping", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
        async let intake: Void = doors.closeIntake(within: schedule.intake)
        let deadline = began + schedule.requests
        if await !sent.wait(until: deadline) {
            log.warning("requests to Kinesis cut short", metadata: ["remedy": "raise delivery.stop_timeout"])
            workers.cancelAll()
            await sent.wait(until: deadline + .seconds(1))
        }
        await intake
        await doors.ingest.shutDown()
        await Self.blocking { [store] in store.close() }
        doors.control.stop()
        log.notice("stopped", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
    }

    /// Runs what blocks on a thread that may.
    private static func blocking(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                body()
                continuation.resume()
            }
        }
    }
}
