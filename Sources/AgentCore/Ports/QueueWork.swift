// SPDX-License-Identifier: Apache-2.0

// What delivery asks of the queue, and what the queue tells delivery.

/// Events to be read from the queue, in id order.
public struct LoadRequest: Sendable {
    public enum What: Sendable {
        /// Events with ids above `after`, except those whose lane is in `skipping` and, where `only` is given,
        /// except those whose lane is not in it. Events without a key have no lane: `skipping` never skips them, and
        /// `only` always does.
        case scan(after: EventID, skipping: LaneSet, only: LaneSet?)
        /// The events with just these ids, ascending.
        case events([EventID])
    }

    public let destination: DestinationID
    public let what: What
    /// Stop after so many events, or bytes of data and keys; at least one event is read even if it is larger.
    public let maxEvents: Int
    public let maxBytes: Int

    public init(destination: DestinationID, what: What, maxEvents: Int, maxBytes: Int) {
        self.destination = destination
        self.what = what
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }
}

/// What a ``LoadRequest`` found in one snapshot of the file.
public struct LoadedEvents: Sendable {
    public let destination: DestinationID
    /// Ascending by id. Of `.events`, those that are still there.
    public let events: [StoredEvent]
    /// Of a scan: every event that it was asked for with an id up to this one is in `events`. Where the end was
    /// reached, this is the highest id that any destination had in the snapshot, so that nothing committed later
    /// can be below it. Of `.events`: ``EventID/zero``.
    public let through: EventID
    /// Events that are in the file but failed their checksum: never to be sent.
    public let damaged: [EventID]

    public init(destination: DestinationID, events: [StoredEvent], through: EventID, damaged: [EventID] = []) {
        self.destination = destination
        self.events = events
        self.through = through
        self.damaged = damaged
    }
}

/// Events that Kinesis has: to be deleted, and counted as delivered.
public struct Settlement: Sendable {
    public let destination: DestinationID
    /// Ascending.
    public let ids: [EventID]

    public init(destination: DestinationID, ids: [EventID]) {
        self.destination = destination
        self.ids = ids
    }
}

/// An event that is given up, to be kept with its reason.
public struct DeadLetter: Sendable {
    public let destination: DestinationID
    public let id: EventID
    /// A fixed word, such as `record_rejected`, or the name of Kinesis's error.
    public let code: String
    public let reason: String

    public init(destination: DestinationID, id: EventID, code: String, reason: String) {
        self.destination = destination
        self.id = id
        self.code = code
        self.reason = reason
    }
}

/// What one commit did. Commits are reported in the order in which they were made, on the writer's queue.
public struct Commit: Sendable {
    public struct Appended: Sendable {
        public let destination: DestinationID
        /// Ascending by id, and above all earlier ones of the destination.
        public let events: [StoredEvent]

        public init(destination: DestinationID, events: [StoredEvent]) {
            self.destination = destination
            self.events = events
        }
    }

    /// An event whose sender waits for its delivery.
    public struct Awaited: Sendable {
        public let id: EventID
        public let destination: DestinationID
        public let token: UInt64
        public let receiver: any AppendReceiver

        public init(id: EventID, destination: DestinationID, token: UInt64, receiver: any AppendReceiver) {
            self.id = id
            self.destination = destination
            self.token = token
            self.receiver = receiver
        }
    }

    public enum RemovalCause: Hashable, Sendable {
        /// Older than `queue.max_age`.
        case expired
        /// Made room under `when_full = "drop-oldest"`.
        case evicted
    }

    /// The oldest events of a destination, up to an id, that a limit removed.
    public struct Removal: Sendable {
        public let destination: DestinationID
        public let through: EventID
        public let count: Int
        public let cause: RemovalCause

        public init(destination: DestinationID, through: EventID, count: Int, cause: RemovalCause) {
            self.destination = destination
            self.through = through
            self.count = count
            self.cause = cause
        }
    }

    /// One element a destination.
    public var appended: [Appended] = []
    public var awaited: [Awaited] = []
    /// The settlements of this commit as they were asked for; ids that were gone already are among them.
    public var settled: [Settlement] = []
    public var deadLettered: [DeadLetter] = []
    public var removed: [Removal] = []

    public init() {}
}
