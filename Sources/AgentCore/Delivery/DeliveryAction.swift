// SPDX-License-Identifier: Apache-2.0

/// Names one request from ``DeliveryAction/send(_:)`` until it is answered; never used twice by one machine.
public struct AttemptID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ value: UInt64) { rawValue = value }
}

/// A request to be made. `shape` says which of `events` each record of `request` carries.
public struct Batch: Sendable {
    public let attempt: AttemptID
    public let destination: DestinationID
    public let request: OutgoingRequest
    /// The events of the records, in the order of the records.
    public let events: [EventID]
    public let shape: RecordShape

    /// - Parameter shape: `nil`: each record carries one event.
    public init(
        attempt: AttemptID,
        destination: DestinationID,
        request: OutgoingRequest,
        events: [EventID],
        shape: RecordShape? = nil
    ) {
        self.attempt = attempt
        self.destination = destination
        self.request = request
        self.events = events
        self.shape = shape ?? RecordShape(oneEach: events.count)
    }
}

/// What the machine wants done. All of it is to be done, in this order; none of it may call back into the machine
/// before it returned.
public enum DeliveryAction: Sendable {
    /// Answer with ``DeliveryMachine/loaded(_:now:)`` or ``DeliveryMachine/loadFailed(_:now:)``.
    case load(LoadRequest)
    /// Answer with ``DeliveryMachine/answered(_:_:now:)``, once, however it ends.
    case send(Batch)
    /// The request's worker is wanted: give it up if no byte of it has moved for a second. It is still answered.
    case cancel(AttemptID)
    /// Delete the events; the commit that does is reported to ``DeliveryMachine/committed(_:now:)``.
    case settle(Settlement)
    /// Move the event to the dead letters; likewise reported.
    case deadLetter(DeadLetter)
    case report(DeliveryReport)
}

/// Something that an operator may want to read in the journal.
public enum DeliveryReport: Sendable {
    /// A destination, or what it shares with others, is not well. Said again only when the code changes.
    case faulted(Destination, Fault)
    case recovered(Destination, after: Duration)
    /// A record that Kinesis will not take.
    case rejected(Destination, EventID, Fault)
}

/// How a destination fares.
public struct DestinationStatus: Sendable {
    public enum State: String, Sendable {
        case ok
        case backingOff = "backing_off"
        case parked
        case paused
    }

    /// What keeps it from being faster.
    public enum Limit: String, Sendable {
        case keyOrder = "key_order"
        case throttling
        case workers
        case fault
        case paused
    }

    public let id: DestinationID
    public let destination: Destination
    public let state: State
    public let limitedBy: Limit?
    /// Events in requests under way.
    public let inFlight: Int
    /// Events that were sent again, since start.
    public let retries: Int
    /// Events that were throttled, since start.
    public let throttled: Int
    public let lastFault: Fault?
    /// Why it is parked by the configuration.
    public let parkedBecause: String?
}
