// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Synchronization

/// A queue that keeps what it is given, and answers when told to.
final class ScriptedQueue: EventAppending {
    private struct State {
        var requests: [AppendRequest] = []
        var batches = 0
        var nextID: Int64 = 1
        var answersAtOnce = true
        var stored: [NewEvent] = []
    }

    private let state = Mutex(State())

    /// - Parameter answersAtOnce: whether every request is stored as it comes.
    init(answersAtOnce: Bool = true) { state.withLock { $0.answersAtOnce = answersAtOnce } }

    func append(_ requests: [AppendRequest]) {
        let atOnce = state.withLock { state in
            state.batches += 1
            state.requests += requests
            return state.answersAtOnce
        }
        if atOnce { store() }
    }

    /// Requests that are not answered.
    var waiting: [AppendRequest] { state.withLock { $0.requests } }
    var batches: Int { state.withLock { $0.batches } }
    /// Everything that was answered `stored`, in order.
    var stored: [NewEvent] { state.withLock { $0.stored } }
    var storedTexts: [String] { stored.map { $0.data.text ?? "\($0.data.bytes)" } }

    /// Stores what waits, at most `limit` requests.
    func store(_ limit: Int = .max) {
        answer(limit) { state, request in
            let first = EventID(state.nextID)
            state.nextID += Int64(request.events.count)
            state.stored += request.events
            return .stored(first: first)
        }
    }

    func refuse(_ refusal: AppendRefusal, _ limit: Int = .max) {
        answer(limit) { _, _ in .refused(refusal) }
    }

    private func answer(_ limit: Int, _ outcome: (inout State, AppendRequest) -> AppendAnswer.Outcome) {
        let answered = state.withLock { state in
            let requests = Array(state.requests.prefix(limit))
            state.requests.removeFirst(requests.count)
            return requests.map { ($0.receiver, AppendAnswer(token: $0.token, outcome: outcome(&state, $0))) }
        }
        guard let receiver = answered.first?.0 else { return }
        receiver.appended(answered.map(\.1))
    }
}

/// `clicks`, `orders` (whose key is at `/user/id`) and `tiny` (128 bytes a record), in two regions.
final class ScriptedDirectory: StreamDirectory {
    private let delivering = Mutex(true)

    func setDelivering(_ isDelivering: Bool) { delivering.withLock { $0 = isDelivering } }

    func target(stream: String, region: String?) throws(StreamRefusal) -> StreamTarget {
        let region = region ?? "us-east-1"
        guard KinesisLimits.isStreamName(stream) else { throw .invalidName(stream) }
        if stream == "crowd" { throw .tooMany(limit: 3) }
        guard let index = ["clicks", "orders", "tiny"].firstIndex(of: stream),
            let place = ["us-east-1", "eu-west-1"].firstIndex(of: region)
        else { throw .notListed(stream: stream, region: region, nearest: "clicks") }
        return StreamTarget(
            id: DestinationID(Int64(index * 2 + place + 1)),
            destination: Destination(region: region, stream: stream),
            maxRecordBytes: stream == "tiny" ? 128 : KinesisLimits.defaultRecordBytes,
            partitionKeyPointer: stream == "orders" ? JSONPointer("/user/id") : nil
        )
    }

    func streams(region: String?) -> [StreamTarget] {
        ["clicks", "orders", "tiny"].compactMap { try? target(stream: $0, region: region) }
    }

    func isDelivering(_ id: DestinationID) -> Bool { delivering.withLock { $0 } }
}
