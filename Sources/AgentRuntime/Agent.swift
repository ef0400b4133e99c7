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
public final class Agent {
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
    public init(settings: Settings, log: Logger) throws {
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
        let condition = condition
        ingest = try IngestServer.start(
            settings.ingestSettings,
            appending: store,
            directory: catalog,
            isReady: { condition.isReady }
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

    /// Serves until SIGTERM or SIGINT, then stops in order. Blocks.
    public func run() {
        let stop = DispatchSemaphore(value: 0)
        let signals = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { stop.signal() }
            source.activate()
            return source
        }
        let heartbeat = Heartbeat(notifier: notifier, delivery: delivery, store: store)
        heartbeat.start()
        notifier.ready()
        log.notice("ready", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
        stop.wait()
        shutDown()
        heartbeat.stop()
        for source in signals { source.cancel() }
    }

    private func shutDown() {
        notifier.stopping()
        condition.beginDraining()
        log.notice("stopping", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
        let deadline = ContinuousClock.now + settings.delivery.stopTimeout
        // The last second, or half of less, is for the commits that follow.
        let reserve = min(.seconds(1), settings.delivery.stopTimeout / 2)
        ingest.stop(within: max(.milliseconds(100), deadline - .now - reserve))

        let idle = DispatchSemaphore(value: 0)
        delivery.stop { idle.signal() }
        if idle.wait(timeout: .now() + .seconds(deadline - .now - reserve)) == .timedOut {
            log.warning("requests to Kinesis cut short", metadata: ["remedy": "raise delivery.stop_timeout"])
            workers.cancelAll()
            _ = idle.wait(timeout: .now() + .seconds(reserve))
        }
        store.close()
        control.stop()
        log.notice("stopped", metadata: ["queued_events": "\(store.snapshot().totals.queuedEvents)"])
    }
}

extension DispatchTimeInterval {
    static func seconds(_ duration: Duration) -> DispatchTimeInterval {
        .nanoseconds(Int(max(0, duration.wholeNanoseconds)))
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
        result.memoryBytes = listen.memory
        result.defaultStream = streams.default.isEmpty ? nil : streams.default
        result.allowedHosts = listen.allowedHosts
        result.allowedOrigins = listen.allowedOrigins
        return result
    }
}
