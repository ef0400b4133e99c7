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
        deadLetters(after: EventID(id.rawValue - 1), limit: 1) { result in
            reply(result.map { $0.first { $0.event.id == id } })
        }
    }

    /// Puts dead letters back at the tail of their destinations, with new ids and ages, in one transaction.
    /// Answers how many there were. Any thread.
    public func requeue(_ ids: [EventID], reply: @escaping @Sendable (Result<Int, QueueError>) -> Void) {
        carryOut(.requeue(ids), reply: reply)
    }

    /// Deletes dead letters for good, in one transaction. Answers how many there were. Any thread.
    public func purge(_ ids: [EventID], reply: @escaping @Sendable (Result<Int, QueueError>) -> Void) {
        carryOut(.purge(ids), reply: reply)
    }
}
