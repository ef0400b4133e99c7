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

    /// `nil` where the configuration names none, and AWS has none: the region is not one of AWS's.
    func endpoint(of destination: Destination) -> String? {
        let stream = streams[destination]
        // What is listed was checked with the settings.
        guard stream != nil || Region.isWellFormed(destination.region) else { return nil }
        if let own = stream?.endpoint, !own.isEmpty { return own }
        if !settings.aws.endpoint.isEmpty { return settings.aws.endpoint }
        return Region.publicEndpoint(of: destination.region)
    }

    /// Names from outside are checked before they are taken; but a queue may hold some that came in before that.
    static let noSuchRegion =
        "AWS has no region of that name, and no endpoint is configured for it; its events are kept."

    /// What delivery has to know of a destination, be it configured, accepted, or only left in the queue.
    func destinationSettings(of destination: Destination) -> DestinationSettings {
        let stream = streams[destination]
        let endpoint = endpoint(of: destination)
        var result = DestinationSettings(
            ordering: stream?.ordering ?? StreamKeys.list.keys.ordering.default,
            maxRecordBytes: stream?.maxRecordBytes ?? StreamKeys.list.keys.maxRecordBytes.default,
            endpoint: endpoint ?? "",
            identity: identity(of: destination).name,
            // A region may not know credentials that others take: what one says of them holds for itself.
            identityPlace: endpoint ?? ""
        )
        if endpoint == nil {
            result.parkedBecause = Self.noSuchRegion
        } else if stream == nil, settings.streams.accept == .listed {
            result.parkedBecause = "The stream \(destination) is no longer in the configuration; its events are kept."
        }
        return result
    }

    /// Whose credentials requests to the destination are signed with.
    func identity(of destination: Destination) -> Identity { .agent }

    /// All that ``identity(of:)`` may return.
    var identities: [Identity] { [.agent] }

    /// Where the identity's credentials are from.
    func credentials(of identity: Identity) -> CredentialChain {
        .standard(profile: profile, region: settings.aws.region, caFile: settings.aws.caFile)
    }

    var deliverySettings: DeliverySettings {
        DeliverySettings(
            workers: settings.delivery.workers,
            linger: settings.delivery.linger,
            maxBatchBytes: settings.delivery.maxBatchBytes,
            memoryBytes: settings.delivery.memory
        )
    }

    func workerPool(_ keepers: IdentityKeepers, clocks: EndpointClocks) -> WorkerPool {
        var kinesis = KinesisSettings(
            caFile: settings.aws.caFile,
            connectTimeout: settings.delivery.connectTimeout,
            requestTimeout: settings.delivery.requestTimeout
        )
        kinesis.endpoint = { [self] in endpoint(of: $0) ?? "" }
        return WorkerPool(count: settings.delivery.workers) {
            KinesisSender(settings: kinesis, clocks: clocks, providers: { [self] in keepers[identity(of: $0)] })
        }
    }

    private var profile: String? { settings.aws.profile.isEmpty ? nil : settings.aws.profile }

    /// What is odd about how requests will be made, a sentence each; for the log, once.
    var warnings: [String] {
        CredentialChain.passedOver(profile: profile)
            + settings.plainEndpoints.map {
                "Requests to \($0) cross the network unencrypted: whoever is on the way can read events and session tokens."
            }
            + (settings.isProxyPassedOver({ Environment.process[$0] })
                ? ["HTTP_PROXY is not used: name the proxy of http:// endpoints in http_proxy, in small letters."] : [])
            + settings.outsideFaults(file: "agent.conf").map { "\($0.message): nothing is sent over TLS until then." }
    }
}
