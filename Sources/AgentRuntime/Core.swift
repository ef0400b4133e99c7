// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentKinesis
internal import AgentQueue
internal import Logging

/// What runs without any way in: the queue, delivery from it, and who knows the streams.
struct Core: Sendable {
    let store: EventQueue
    let keepers: IdentityKeepers
    let clocks: EndpointClocks
    let workers: WorkerPool
    let delivery: DeliveryLoop
    let catalog: StreamCatalog
    let flusher: Flusher

    /// Opens the queue; delivery waits for its first call.
    init(settings: Settings, metrics: MetricRegistry, news: News, log: Logger) throws {
        let tap = QueueTap()
        let store = try EventQueue.open(settings.queueSettings, observer: tap, metrics: QueueMetrics(metrics))
        let wiring = KinesisWiring(settings)
        for warning in wiring.warnings { log.warning("check the configuration", metadata: ["message": "\(warning)"]) }
        clocks = EndpointClocks()
        keepers = IdentityKeepers(wiring, clocks: clocks)
        workers = wiring.workerPool(keepers, clocks: clocks)

        var machine = DeliveryMachine(settings: wiring.deliverySettings, seed: .random(in: 0 ... .max))
        let stored = store.destinations()
        let found = Dictionary(uniqueKeysWithValues: stored.map { ($0.id, $0) })
        var listed: Set<DestinationID> = []
        for stream in settings.stream {
            let destination = Destination(region: stream.region, stream: stream.name)
            let id = store.destination(for: destination)
            listed.insert(id)
            machine.opened(
                id,
                destination,
                settings: wiring.destinationSettings(of: destination),
                isPaused: found[id]?.isPaused ?? false,
                lastCommitted: found[id]?.last ?? .zero
            )
        }
        for left in stored where !listed.contains(left.id) {
            machine.opened(
                left.id,
                left.destination,
                settings: wiring.destinationSettings(of: left.destination),
                isPaused: left.isPaused,
                lastCommitted: left.last
            )
        }
        keepers.holdBack(&machine)
        let delivery = DeliveryLoop(
            machine: machine,
            store: store,
            workers: workers,
            metrics: DeliveryMetrics(metrics),
            report: news.report
        )
        catalog = StreamCatalog(
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
        (self.store, self.delivery, self.flusher) = (store, delivery, flusher)
    }
}
