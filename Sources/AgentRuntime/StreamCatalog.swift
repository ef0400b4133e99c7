// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import Synchronization

/// The streams that events may be posted to: those of the configuration and, where any is accepted, those that were
/// asked for. Any thread.
final class StreamCatalog: StreamDirectory {
    private struct State {
        /// By region, then by name: the lookup of each request.
        var targets: [String: [String: StreamTarget]] = [:]
        var count = 0

        func target(_ destination: Destination) -> StreamTarget? {
            targets[destination.region]?[destination.stream]
        }

        mutating func add(_ target: StreamTarget) {
            targets[target.destination.region, default: [:]][target.destination.stream] = target
            count += 1
        }
    }

    private let state: Mutex<State>
    private let settings: Settings
    private let listed: NameIndex
    /// Of a listed name, the region that it is listed for first.
    private let regions: [String: String]
    private let store: EventQueue
    /// Introduces a destination to delivery.
    private let introduce: @Sendable (DestinationID, Destination) -> Void
    private let isDelivering: @Sendable (DestinationID) -> Bool

    init(
        settings: Settings,
        store: EventQueue,
        introduce: @escaping @Sendable (DestinationID, Destination) -> Void,
        isDelivering: @escaping @Sendable (DestinationID) -> Bool
    ) {
        self.settings = settings
        self.store = store
        self.introduce = introduce
        self.isDelivering = isDelivering
        listed = NameIndex(settings.stream.lazy.map(\.name))
        regions = Dictionary(settings.stream.map { ($0.name, $0.region) }, uniquingKeysWith: { first, _ in first })
        var state = State()
        var limits: [DestinationID: Int64] = [:]
        for stream in settings.stream {
            let destination = Destination(region: stream.region, stream: stream.name)
            let id = store.destination(for: destination)
            if stream.maxBytes > 0 { limits[id] = Int64(stream.maxBytes) }
            state.add(
                StreamTarget(
                    id: id,
                    destination: destination,
                    maxRecordBytes: stream.maxRecordBytes,
                    partitionKeyPointer: stream.partitionKey.isEmpty ? nil : JSONPointer(stream.partitionKey)
                )
            )
        }
        store.setLimits(limits)
        // What was accepted before a restart goes on being accepted.
        if settings.streams.accept == .any {
            for queued in store.destinations() where state.target(queued.destination) == nil {
                state.add(StreamTarget(id: queued.id, destination: queued.destination))
            }
        }
        self.state = Mutex(state)
    }

    func target(stream: String, region: String?) throws(StreamRefusal) -> StreamTarget {
        let region = region ?? settings.aws.region
        if let known = state.withLock({ $0.targets[region]?[stream] }) { return known }
        guard KinesisLimits.isStreamName(stream) else { throw .invalidName(stream) }
        guard Region.isWellFormed(region) else { throw .invalidRegion(region, nearest: nil) }
        guard settings.streams.accept == .any else {
            throw .notListed(stream: stream, region: region, nearest: nearest(to: stream))
        }
        // With an endpoint it goes there, whatever the region is called.
        guard !settings.aws.endpoint.isEmpty || Region.isKnown(region) else {
            throw .invalidRegion(region, nearest: nearestName(to: region, among: Region.known))
        }
        return try accept(Destination(region: region, stream: stream))
    }

    /// The listed stream that a client seems to mean; one that is listed for another region, with that.
    private func nearest(to stream: String) -> String? {
        if let region = regions[stream] { return "\(stream)@\(region)" }
        return listed.nearest(to: stream)
    }

    func streams(region: String?) -> [StreamTarget] {
        let all = state.withLock { Array(($0.targets[region ?? settings.aws.region] ?? [:]).values) }
        return all.sorted { $0.destination.stream < $1.destination.stream }
    }

    func isDelivering(_ id: DestinationID) -> Bool { isDelivering(id) }

    /// The configured or accepted destination of that name, for operators.
    func known(_ stream: StreamReference) -> StreamTarget? {
        let destination = stream.destination(in: settings.aws.region)
        return state.withLock { $0.target(destination) }
    }

    private func accept(_ destination: Destination) throws(StreamRefusal) -> StreamTarget {
        let limit = settings.streams.maxDestinations
        let (target, isNew) = try state.withLock { state throws(StreamRefusal) in
            if let known = state.target(destination) { return (known, false) }
            guard state.count < limit else { throw .tooMany(limit: limit) }
            let target = StreamTarget(id: store.destination(for: destination), destination: destination)
            state.add(target)
            return (target, true)
        }
        // Before the caller can append to it, so delivery knows it before its first commit.
        if isNew { introduce(target.id, destination) }
        return target
    }
}
