// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentKinesis

/// How the settings reach delivery and the senders.
struct KinesisWiring {
    private let settings: Settings
    private let streams: [Destination: Settings.Stream]

    init(_ settings: Settings) {
        self.settings = settings
        streams = Dictionary(
            settings.stream.map { (Destination(region: $0.region, stream: $0.name), $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    func endpoint(of destination: Destination) -> String {
        if let own = streams[destination]?.endpoint, !own.isEmpty { return own }
        if !settings.aws.endpoint.isEmpty { return settings.aws.endpoint }
        return KinesisSettings.publicEndpoint(region: destination.region)
    }

    /// What delivery has to know of a destination, be it configured, accepted, or only left in the queue.
    func destinationSettings(of destination: Destination) -> DestinationSettings {
        let stream = streams[destination]
        var result = DestinationSettings(
            ordering: stream?.ordering == Settings.Ordering.none ? .none : .key,
            maxRecordBytes: stream?.maxRecordBytes ?? KinesisLimits.defaultRecordBytes,
            endpoint: endpoint(of: destination),
            identity: destination.account
        )
        if stream == nil, settings.streams.accept == .listed {
            result.parkedBecause = "The stream \(destination) is no longer in the configuration; its events are kept."
        }
        return result
    }

    var deliverySettings: DeliverySettings {
        DeliverySettings(
            workers: settings.delivery.workers,
            linger: settings.delivery.linger,
            maxBatchBytes: settings.delivery.maxBatchBytes,
            memoryBytes: settings.delivery.memory
        )
    }

    func workerPool() -> WorkerPool {
        var kinesis = KinesisSettings(
            caFile: settings.aws.caFile,
            connectTimeout: settings.delivery.connectTimeout,
            requestTimeout: settings.delivery.requestTimeout
        )
        kinesis.endpoint = { [self] in endpoint(of: $0) }
        let clock = ClockOffset()
        let credentials = CredentialChain.standard(
            profile: settings.aws.profile.isEmpty ? nil : settings.aws.profile
        )
        return WorkerPool(count: settings.delivery.workers) {
            KinesisSender(settings: kinesis, clock: clock, providers: { _ in credentials })
        }
    }
}

extension KinesisSender: CancellableSender {
    var requestCancellation: any RequestCancellation { cancellation }
}

extension SendCancellation: RequestCancellation {}
