// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// Requests that are with the queue, and those of them whose events are stored and whose delivery is waited for: all
/// that is known of one is here, until it is answered.
///
/// A token is a place in a table and how often the place was used, so that a late answer finds nothing. Those that wait
/// equally long are linked in the order in which their waits end, which is the order in which they began.
struct PendingRequests<Owner> {
    struct Request {
        let owner: Owner
        /// How many events it has.
        let count: Int
        /// What it holds of the budget.
        fileprivate(set) var bytes: Int
        /// Only where somebody waits for the delivery of its events.
        let wait: DeliveryWait?
        /// Bytes that came in with it.
        var size = 0
        /// It was kept before.
        fileprivate(set) var isRepeat = false
    }

    /// A request whose events are kept, that is to be answered, and is known here no more.
    struct Ended {
        let request: Request
        let events: StoredEvents
    }

    private struct Place {
        var uses: UInt32 = 0
        var request: Request?
    }

    /// Those that wait equally long, by their places.
    private struct Line {
        var first: Int
        var last: Int
    }

    /// Events that are awaited by all of them: each is entered where deliveries are heard of.
    private static var maxAwaitedEvents: Int { 1 << 16 }

    private let maxAwaiting: Int
    private var places: [Place] = []
    private var free: [UInt32] = []
    /// Requests that await delivery, stored or not.
    private(set) var awaiting = 0
    private var awaitedEvents = 0
    private var lines: [TimeAmount: Line] = [:]
    /// Nobody waits any more: the agent stops.
    private(set) var isDraining = false

    init(maxAwaiting: Int) { self.maxAwaiting = maxAwaiting }

    var count: Int { places.count - free.count }

    /// Whether one more may await the delivery of so many events.
    func mayAwait(_ events: Int) -> Bool {
        awaiting < maxAwaiting && awaitedEvents + events <= Self.maxAwaitedEvents && !isDraining
    }

    /// When the next wait is over.
    var nextEnd: NIODeadline? { lines.values.compactMap { places[$0.first].request?.wait?.until }.min() }

    mutating func insert(_ request: Request) -> UInt64 {
        if request.wait != nil {
            awaiting += 1
            awaitedEvents += request.count
        }
        guard let index = free.popLast() else {
            places.append(Place(request: request))
            return UInt64(places.count - 1)
        }
        places[Int(index)].request = request
        return UInt64(places[Int(index)].uses) << 32 | UInt64(index)
    }

    /// The queue answered.
    ///
    /// - Parameters:
    ///   - released: set to what of the budget is free, where the request is stored and waits.
    ///   - isDelivering: whether a destination is well: for one that is not, nobody waits.
    /// - Returns: the request, which is to be answered and is known here no more; `nil`: it waits, or was answered
    ///   before.
    mutating func answered(
        _ answer: AppendAnswer,
        now: @autoclosure () -> NIODeadline,
        released: inout Int,
        isDelivering: (DestinationID) -> Bool
    ) -> Request? {
        guard let index = find(answer.token) else { return nil }
        if case .repeated = answer.outcome { places[index].request?.isRepeat = true }
        if awaiting > 0, !isDraining, let first = answer.first, let wait = places[index].request?.wait,
            wait.destinations.allSatisfy(isDelivering)
        {
            released = places[index].request?.bytes ?? 0
            begin(wait, at: index, first, now: now())
            return nil
        }
        return remove(index)
    }

    /// It is known what became of an event. That may be heard before the queue's answer: what is delivered was stored.
    ///
    /// - Returns: its request, where all of its events are known of now.
    mutating func delivered(_ notice: DeliveryNotice) -> Ended? {
        guard let index = find(notice.token), let request = places[index].request, let wait = request.wait
        else { return nil }
        wait.deliveries.note(notice)
        guard wait.deliveries.count >= request.count, let first = wait.first ?? wait.deliveries.first
        else { return nil }
        return end(index, first: first)
    }

    /// One that has waited long enough.
    mutating func nextEnded(at now: NIODeadline) -> Ended? {
        for line in lines.values {
            guard let wait = places[line.first].request?.wait, let first = wait.first, isDraining || wait.until <= now
            else { continue }
            return end(line.first, first: first)
        }
        return nil
    }

    /// From here on nobody waits: ``nextEnded(at:)`` gives all that did.
    mutating func drain() { isDraining = true }

    // MARK: The table

    private mutating func end(_ index: Int, first: EventID) -> Ended? {
        guard let request = remove(index) else { return nil }
        let events = StoredEvents(first: first, count: request.count, request.wait)
        return Ended(request: request, events: events)
    }

    private mutating func remove(_ index: Int) -> Request? {
        guard let request = places[index].request.take() else { return nil }
        places[index].uses &+= 1
        free.append(UInt32(index))
        if let wait = request.wait {
            awaiting -= 1
            awaitedEvents -= request.count
            if wait.first != nil { unlink(wait) }
        }
        return request
    }

    private func find(_ token: UInt64) -> Int? {
        let index = Int(token & 0xffff_ffff)
        guard index < places.count, places[index].uses == UInt32(token >> 32), places[index].request != nil
        else { return nil }
        return index
    }

    // MARK: Those that wait

    private mutating func begin(_ wait: DeliveryWait, at index: Int, _ first: EventID, now: NIODeadline) {
        (wait.first, wait.until, wait.previous) = (first, now + wait.time, lines[wait.time]?.last)
        places[index].request?.bytes = 0
        if let last = wait.previous {
            places[last].request?.wait?.next = index
            lines[wait.time]?.last = index
        } else {
            lines[wait.time] = Line(first: index, last: index)
        }
    }

    private mutating func unlink(_ wait: DeliveryWait) {
        if let previous = wait.previous { places[previous].request?.wait?.next = wait.next }
        if let next = wait.next { places[next].request?.wait?.previous = wait.previous }
        switch (wait.previous, wait.next) {
        case (nil, nil): lines[wait.time] = nil
        case (nil, let next?): lines[wait.time]?.first = next
        case (let previous?, nil): lines[wait.time]?.last = previous
        default: break
        }
    }
}

extension AppendAnswer {
    /// The id of the request's first event, if it has them.
    fileprivate var first: EventID? {
        switch outcome {
        case .stored(let first), .repeated(let first): first
        case .refused: nil
        }
    }
}

/// What there is to know of a request whose sender wants to hear of the delivery of its events. An object of its own,
/// because nearly no request has one.
final class DeliveryWait {
    fileprivate let destinations: DestinationSet
    /// How long, from when the queue has the events.
    fileprivate let time: TimeAmount
    fileprivate(set) var deliveries = Deliveries.none
    /// The id of its first event, once the queue has them; then it waits.
    fileprivate var first: EventID?
    fileprivate var until = NIODeadline.distantFuture
    /// Its neighbours in the order of waits.
    fileprivate var previous: Int?
    fileprivate var next: Int?

    init(for destinations: DestinationSet, _ time: TimeAmount) {
        self.destinations = destinations
        self.time = time
    }
}

/// Some destinations, each once: nearly always none or one.
struct DestinationSet {
    private var first: DestinationID?
    private var others: [DestinationID] = []

    init(of events: [NewEvent]) {
        var last: DestinationID?
        for event in events where event.destination != last {
            last = event.destination
            insert(event.destination)
        }
    }

    private mutating func insert(_ destination: DestinationID) {
        if let first {
            if destination != first, !others.contains(destination) { others.append(destination) }
        } else {
            first = destination
        }
    }

    func allSatisfy(_ condition: (DestinationID) -> Bool) -> Bool {
        (first.map(condition) ?? true) && others.allSatisfy(condition)
    }
}
