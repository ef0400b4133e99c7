// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentIngest
internal import AgentQueue
internal import AgentSystemd
internal import Dispatch
internal import Glibc
internal import Logging

// The composition root: every part is made here, once, and handed to those that need it.
//
//   IngestServer ──append──▶ EventQueue ──commits──▶ QueueTap ──▶ DeliveryLoop ──▶ WorkerPool ──▶ KinesisSender
//                               ▲                                     │
//                               └────────── settle, dead-letter ──────┘
//   ControlServer ──▶ ControlService ──▶ queue, delivery, catalog
//
// Start: settings were checked before; then the queue is opened, delivery begins, sockets are opened, READY.
// Stop: no new requests, those in progress are answered, requests to Kinesis end, settlements are committed, the queue
// is closed. What was not delivered by then is delivered after the next start.

/// A running agent.
final class Agent {
    private let settings: Settings
    private let log: Logger
    private let condition = AgentCondition()
    private let store: EventQueue
    private let workers: WorkerPool
    private let delivery: DeliveryLoop
    private let ingest: IngestServer
    private let control: ControlServer
    private let notifier = Notifier()

    /// Opens the queue and the sockets, and begins to deliver.
    ///
    /// - Throws: what could not be opened, and what to do about it.
    init(settings: Settings, log: Logger) async throws {
        self.settings = settings
        self.log = log
        let news = News(log: log, condition: condition)
        let tap = QueueTap()
        let store = try EventQueue.open(settings.queueSettings, observer: tap)
        let wiring = KinesisWiring(settings)
        let workers = wiring.workerPool()

        var machine = DeliveryMachine(settings: wiring.deliverySettings, seed: .random(in: 0 ... .max))
        let found = Dictionary(uniqueKeysWithValues: store.destinations().map { ($0.id, $0) })
        for stream in settings.stream {
            let destination = Destination(region: stream.region, stream: stream.name)
            let id = store.destination(for: destination)
            machine.opened(
                id,
                destination,
                settings: wiring.destinationSettings(of: destination),
                isPaused: found[id]?.isPaused ?? false,
                lastCommitted: found[id]?.last ?? .zero
            )
        }
        for left in store.destinations() {
            machine.opened(
                left.id,
                left.destination,
                settings: wiring.destinationSettings(of: left.destination),
                isPaused: left.isPaused,
                lastCommitted: left.last
            )
        }
        let delivery = DeliveryLoop(machine: machine, store: store, workers: workers, report: news.report)
        let catalog = StreamCatalog(
            settings: settings,
            store: store,
            introduce: { id, destination in
                delivery.call { machine, _ in
                    machine.opened(id, destination, settings: wiring.destinationSettings(of: destination))
                }
            },
            isDelivering: delivery.isDelivering
        )
        let flusher = Flusher(store: store, delivery: delivery)
        tap.connect(
            onCommit: { commit in
                delivery.committed(commit)
                flusher.committed()
            },
            onNotice: news.notice
        )

        self.store = store
        self.workers = workers
        self.delivery = delivery
        ingest = try await IngestServer.start(
            settings.ingestSettings,
            queue: store,
            directory: catalog,
            readiness: { [condition] in condition.readiness },
            onFault: { log.error("connection not accepted", metadata: ["message": "\($0)"]) }
        )
        let service = ControlService(
            store: store,
            delivery: delivery,
            catalog: catalog,
            flusher: flusher,
            condition: condition
        )
        control = try ControlServer(path: settings.listen.controlSocket, handler: service)
        control.start()
        // Wakes delivery for what was queued before.
        delivery.call { _, _ in }
    }

    /// Serves until SIGTERM or SIGINT, then stops in order.
    func run() async {
        let heartbeat = Heartbeat(notifier: notifier, delivery: delivery, store: store)
        heartbeat.start()
        notifier.ready()
        log.notice("ready", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
        await Self.terminationSignal()
        await shutDown()
        heartbeat.stop()
    }

    private static func terminationSignal() async {
        let (arrivals, continuation) = AsyncStream.makeStream(of: Void.self)
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield() }
            source.activate()
            return source
        }
        for await _ in arrivals { break }
        for source in sources { source.cancel() }
    }

    private func shutDown() async {
        notifier.stopping()
        condition.beginDraining()
        log.notice("stopping", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
        // The last second, or half of less, is for the commits that follow.
        let timeout = settings.delivery.stopTimeout
        let deadline = ContinuousClock.now + timeout - min(.seconds(1), timeout / 2)
        await ingest.stopAccepting()
        await ingest.drain(within: max(.milliseconds(100), deadline - .now))

        if await !deliveryStops(by: deadline) {
            log.warning("requests to Kinesis cut short", metadata: ["remedy": "raise delivery.stop_timeout"])
            workers.cancelAll()
            _ = await deliveryStops(by: deadline + .seconds(1))
        }
        await ingest.shutDown()
        await blocking { [store] in store.close() }
        control.stop()
        log.notice("stopped", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
    }

    /// Waits until no request is under way.
    private func deliveryStops(by deadline: ContinuousClock.Instant) async -> Bool {
        let (outcomes, continuation) = AsyncStream.makeStream(of: Bool.self)
        delivery.stop { continuation.yield(true) }
        let wait = max(.zero, deadline - .now)
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(wait.wholeNanoseconds))) {
            continuation.yield(false)
        }
        for await outcome in outcomes { return outcome }
        return false
    }

    /// Runs what blocks on a thread that may.
    private func blocking(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                body()
                continuation.resume()
            }
        }
    }
}

extension Settings {
    var queueSettings: QueueSettings {
        var result = QueueSettings(path: queue.path)
        result.maxBytes = Int64(queue.maxBytes)
        result.minFreeDisk = Int64(queue.minFreeDisk)
        result.whenFull = queue.whenFull == .reject ? .reject : .dropOldest
        result.maxAge = queue.maxAge == .zero ? nil : queue.maxAge
        result.durability = queue.durability == .full ? .full : .normal
        result.maxDeadLetterBytes = Int64(queue.deadLetterMaxBytes)
        return result
    }

    var ingestSettings: IngestSettings {
        var result = IngestSettings()
        result.http = listen.http?.description ?? ""
        result.socketPath = listen.socket
        result.maxEventBytes = listen.maxEventBytes
        result.maxRequestBytes = listen.maxRequestBytes
        result.putWait = listen.putWait
        result.maxConnections = listen.maxConnections
        result.idleTimeout = listen.idleTimeout
        result.headTimeout = min(result.headTimeout, listen.idleTimeout)
        result.bodyTimeout = min(result.bodyTimeout, listen.idleTimeout)
        result.memoryBytes = listen.memory
        result.defaultStream = streams.default.isEmpty ? nil : streams.default
        result.allowedHosts = listen.allowedHosts
        result.allowedOrigins = listen.allowedOrigins
        return result
    }
}
