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
        var state = State()
        for stream in settings.stream {
            let destination = Destination(region: stream.region, stream: stream.name)
            let id = store.destination(for: destination)
            if stream.maxBytes > 0 { store.setLimit(Int64(stream.maxBytes), of: id) }
            state.add(
                StreamTarget(
                    id: id,
                    destination: destination,
                    maxRecordBytes: stream.maxRecordBytes,
                    partitionKeyPointer: stream.partitionKey.isEmpty ? nil : JSONPointer(stream.partitionKey)
                )
            )
        }
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
        guard settings.streams.accept == .any else {
            let nearest = settings.stream.isEmpty ? nil : nearestName(to: stream, among: settings.stream.map(\.name))
            throw .notListed(stream: stream, region: region, nearest: nearest)
        }
        return try accept(Destination(region: region, stream: stream))
    }

    func isDelivering(_ id: DestinationID) -> Bool { isDelivering(id) }

    /// The configured or accepted destination of that name, for operators.
    func known(stream: String, region: String?) -> StreamTarget? {
        state.withLock { $0.targets[region ?? settings.aws.region]?[stream] }
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
