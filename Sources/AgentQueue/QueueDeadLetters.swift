// SPDX-License-Identifier: Apache-2.0
public import AgentCore

/// An event among the dead letters.
public struct StoredDeadLetter: Sendable {
    public let destination: DestinationID
    /// With the id that it had in the queue.
    public let event: StoredEvent
    /// When it was given up, on the agent's clock, in milliseconds.
    public let deadMS: Int64
    public let code: String
    public let reason: String
}

extension EventQueue {
    /// Dead letters with ids above `after`, ascending; of all destinations where none is named. Up to `limit`, or as
    /// many as make up 8 MiB. Any thread.
    public func deadLetters(
        of destination: DestinationID? = nil,
        after: EventID = .zero,
        limit: Int,
        reply: @escaping @Sendable (Result<[StoredDeadLetter], QueueError>) -> Void
    ) {
        reader.read(
            { (file) throws(QueueError) in try file.deadLetters(destination, after: after, limit: limit) },
            reply: reply
        )
    }

    /// One dead letter, `nil` where it is gone. Any thread.
    public func deadLetter(
        _ id: EventID,
        reply: @escaping @Sendable (Result<StoredDeadLetter?, QueueError>) -> Void
    ) {
        deadLetters(after: id.predecessor, limit: 1) { result in
            reply(result.map { $0.first { $0.event.id == id } })
        }
    }

    /// How many dead letters there are of those, and their bytes of data. Any thread.
    public func count(
        _ letters: DeadLetterSelection,
        reply: @escaping @Sendable (Result<Requeued, QueueError>) -> Void
    ) {
        reader.read({ (file) throws(QueueError) in try file.count(letters) }, reply: reply)
    }

    /// Puts dead letters back at the tail of their destinations, with new ids and ages, as far as there is room for them.
    /// Any thread.
    ///
    /// They go in slices, between which others are served: what a crash, or a limit, leaves of them stays where it is.
    public func requeue(
        _ letters: DeadLetterSelection,
        reply: @escaping @Sendable (Result<Requeued, QueueError>) -> Void
    ) {
        switch letters {
        case .these(let ids):
            requeue(ids[...], Requeued(), reply)
        case .all(let destination):
            reader.read({ (file) throws(QueueError) in try file.deadLetterIDs(of: destination) }) { [self] result in
                switch result {
                case .success(let ids): requeue(ids[...], Requeued(), reply)
                case .failure(let error): reply(.failure(error))
                }
            }
        }
    }

    private func requeue(
        _ ids: ArraySlice<EventID>,
        _ before: Requeued,
        _ reply: @escaping @Sendable (Result<Requeued, QueueError>) -> Void
    ) {
        guard !ids.isEmpty else { return reply(.success(before)) }
        carryOut(.requeue(ids)) { [self] result in
            var sum = before
            switch result {
            case .failure(let error):
                if sum.events == 0 { return reply(.failure(error)) }
                sum.stop(before: ids.count, because: "\(error)")
                reply(.success(sum))
            case .success(let outcome):
                sum.events += outcome.count
                sum.bytes += outcome.bytes
                let rest = ids.dropFirst(outcome.looked)
                guard let refusal = outcome.refusal else { return requeue(rest, sum, reply) }
                sum.stop(before: rest.count, because: "\(refusal)")
                reply(.success(sum))
            }
        }
    }

    /// Deletes dead letters for good, in one transaction. Answers how many there were. Any thread.
    public func purge(_ ids: [EventID], reply: @escaping @Sendable (Result<Int, QueueError>) -> Void) {
        carryOut(.purge(ids)) { result in reply(result.map(\.count)) }
    }
}

/// Which dead letters are meant.
public enum DeadLetterSelection: Sendable {
    case these([EventID])
    case all(of: DestinationID)
}

/// What became of a requeue.
public struct Requeued: Hashable, Sendable {
    public var events = 0
    /// As the queue counts them; of those that were only counted, of their data.
    public var bytes: Int64 = 0
    /// Those that were not come to, for the reason below.
    public private(set) var left = 0
    /// Why it ended early; `nil`: it did not.
    public private(set) var reason: String?

    public init(events: Int = 0, bytes: Int64 = 0) {
        self.events = events
        self.bytes = bytes
    }

    mutating func stop(before left: Int, because reason: String) {
        self.left = left
        self.reason = reason
    }
}
