// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The events of a request that are all in the queue, and what is known of their delivery.
struct StoredEvents {
    /// The others' ids follow it.
    let first: EventID
    let count: Int
    private let wait: DeliveryWait?

    init(first: EventID, count: Int, _ wait: DeliveryWait? = nil) {
        self.first = first
        self.count = count
        self.wait = wait
    }

    func id(of index: Int) -> EventID { EventID(first.rawValue + Int64(index)) }

    /// What became of the request's event at `index`; `nil`: it is in the queue, as far as is known.
    func delivery(of index: Int) -> DeliveryNotice.Outcome? {
        wait?.deliveries[id(of: index)]
    }
}

/// What was heard of the deliveries of a request's events. Nearly every request that waits has one event.
enum Deliveries {
    case none
    case one(DeliveryNotice)
    case several([EventID: DeliveryNotice.Outcome])

    var count: Int {
        switch self {
        case .none: 0
        case .one: 1
        case .several(let outcomes): outcomes.count
        }
    }

    /// The lowest id that was heard of.
    var first: EventID? {
        switch self {
        case .none: nil
        case .one(let notice): notice.id
        case .several(let outcomes): outcomes.keys.min()
        }
    }

    subscript(id: EventID) -> DeliveryNotice.Outcome? {
        switch self {
        case .none: nil
        case .one(let notice): notice.id == id ? notice.outcome : nil
        case .several(let outcomes): outcomes[id]
        }
    }

    mutating func note(_ notice: DeliveryNotice) {
        switch self {
        case .none: self = .one(notice)
        case .one(let known):
            if known.id != notice.id { self = .several([known.id: known.outcome, notice.id: notice.outcome]) }
        case .several(var outcomes):
            // Not held here as well, or it would be copied.
            self = .none
            outcomes[notice.id] = notice.outcome
            self = .several(outcomes)
        }
    }
}
