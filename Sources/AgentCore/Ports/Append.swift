// SPDX-License-Identifier: Apache-2.0

/// Events that go into the queue together: all of them or none, in this order.
public struct AppendRequest: Sendable {
    /// One or more; they get consecutive ids in this order.
    public let events: [NewEvent]
    /// Whether somebody waits for their delivery: they are sent without linger, and ``AppendReceiver/delivered(_:)``
    /// tells what became of them.
    public let awaitsDelivery: Bool
    /// Whether its sender keeps it, and offers it again until there is room: no event of it is turned away for want of
    /// room then, and none is counted as refused.
    public let waitsForRoom: Bool
    /// Where the sender gave it a key: it is kept once, however often it comes.
    public let identity: RequestIdentity?
    /// The receiver's own name for the request; comes back in the answer.
    public let token: UInt64
    public let receiver: any AppendReceiver

    @inlinable
    public init(
        events: [NewEvent],
        awaitsDelivery: Bool = false,
        waitsForRoom: Bool = false,
        identity: RequestIdentity? = nil,
        token: UInt64,
        receiver: any AppendReceiver
    ) {
        self.events = events
        self.awaitsDelivery = awaitsDelivery
        self.waitsForRoom = waitsForRoom
        self.identity = identity
        self.token = token
        self.receiver = receiver
    }
}

/// What became of an ``AppendRequest``.
public struct AppendAnswer: Sendable {
    public enum Outcome: Sendable {
        /// Committed and synced: the events have the ids `first`, `first + 1`, ….
        case stored(first: EventID)
        /// It came before and is kept since: its events have the ids `first`, `first + 1`, ….
        case repeated(first: EventID)
        case refused(AppendRefusal)
    }

    public let token: UInt64
    public let outcome: Outcome

    @inlinable
    public init(token: UInt64, outcome: Outcome) {
        self.token = token
        self.outcome = outcome
    }
}

/// Why nothing of a request was kept, or, for ``unknown``, why the agent cannot say.
public enum AppendRefusal: Error, Hashable, Sendable {
    /// `queue.max_bytes` is reached.
    case queueFull(usedBytes: Int64, limitBytes: Int64)
    /// The destination's share is used up: its own `max_bytes`.
    case destinationFull(DestinationID, usedBytes: Int64, limitBytes: Int64)
    /// The last tenth of `queue.max_bytes` is kept for destinations that hold less than a tenth, and this one does not.
    /// The numbers are those of the whole queue.
    case lastTenth(DestinationID, usedBytes: Int64, limitBytes: Int64)
    /// The request by itself is larger than `limitBytes`, which is all that may ever be taken of it: it never fits.
    case tooLarge(bytes: Int64, limitBytes: Int64)
    /// Less than `queue.min_free_disk` is left, or the file system refused to grow the file.
    case diskFull(freeBytes: Int64, limitBytes: Int64)
    /// Another program keeps the queue file locked. `holder` says which, as far as can be told.
    case locked(path: String, holder: String)
    /// Another request came with the same key; see ``AppendRequest/identity``.
    case keyReused
    /// The agent is shutting down.
    case stopping
    /// The queue file was deleted or replaced underneath the agent.
    case tampered(path: String)
    /// Commit failed and the file could not be read again: the events may or may not be stored.
    case unknown(message: String)
    /// The disk failed; nothing was stored.
    case storage(message: String)
}

/// What became of an event that somebody waits for.
public struct DeliveryNotice: Sendable {
    public enum Outcome: Sendable {
        case delivered(sequenceNumber: String, shard: String)
        case deadLettered(code: String, reason: String)
        /// Expired or evicted by a limit of the operator.
        case dropped
    }

    public let token: UInt64
    public let id: EventID
    public let outcome: Outcome

    public init(token: UInt64, id: EventID, outcome: Outcome) {
        self.token = token
        self.id = id
        self.outcome = outcome
    }
}

/// Takes the answers to the requests of one event loop or connection.
///
/// Both functions are called from threads of the queue and of delivery, once for all answers of a commit or a
/// Kinesis answer: hop to your own thread once, and do not block.
public protocol AppendReceiver: AnyObject, Sendable {
    func appended(_ answers: [AppendAnswer])
    func delivered(_ notices: [DeliveryNotice])
}

/// The queue, as those see it who bring events.
public protocol EventAppending: Sendable {
    /// Takes requests in order; each is answered once through its receiver, after the commit. Never blocks.
    func append(_ requests: [AppendRequest])
}
