// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Synchronization

/// What an operator asks of the queue. Each is done in one transaction.
struct Order: Sendable {
    enum Action: Sendable {
        /// As many of them as fit into a slice.
        case requeue(ArraySlice<EventID>)
        case purge([EventID])
        case setPaused(Bool, DestinationID)

        /// Whether it makes the queue longer.
        var wantsRoom: Bool { if case .requeue = self { true } else { false } }
    }

    struct Outcome: Sendable {
        /// Events that it touched.
        var count = 0
        var bytes: Int64 = 0
        /// Ids that were looked at.
        var looked = 0
        /// Why it ended before the end of its slice.
        var refusal: AppendRefusal?
    }

    let action: Action
    /// Called on the writer's queue.
    let reply: @Sendable (Result<Outcome, QueueError>) -> Void
}

/// Work that waits for the writer.
struct Work: Sendable {
    var requests: [AppendRequest] = []
    var settlements: [Settlement] = []
    var letters: [DeadLetter] = []
    var orders: [Order] = []

    var isEmpty: Bool { requests.isEmpty && settlements.isEmpty && letters.isEmpty && orders.isEmpty }

    /// Whether any of it makes the queue longer.
    var wantsRoom: Bool { !requests.isEmpty || orders.contains { $0.action.wantsRoom } }

    /// Takes that out.
    mutating func takeWhatWantsRoom() -> (requests: [AppendRequest], orders: [Order]) {
        let taken = (requests, orders.filter(\.action.wantsRoom))
        requests = []
        orders.removeAll(where: \.action.wantsRoom)
        return taken
    }

    /// Whether it must be on the disk before anybody hears of it. A settlement that a power cut takes back only
    /// makes events be sent again, in their order.
    var wantsSync: Bool { !requests.isEmpty || !letters.isEmpty || !orders.isEmpty }

    mutating func append(_ other: Work) {
        // Most of the time the writer has caught up, and the arrays just change hands.
        if requests.isEmpty { requests = other.requests } else { requests += other.requests }
        if settlements.isEmpty { settlements = other.settlements } else { settlements += other.settlements }
        if letters.isEmpty { letters = other.letters } else { letters += other.letters }
        if orders.isEmpty { orders = other.orders } else { orders += other.orders }
    }

    /// Keeps what `work` removes, or forgets all of it where it is on the disk now.
    mutating func remember(_ work: Work, unless isSynced: Bool) {
        if isSynced {
            if !isEmpty { self = Work() }
        } else {
            settlements += work.settlements
            letters += work.letters
        }
    }

    /// Takes the next group off: everything, but of the appends only as much as makes up `bytes`, or one larger one.
    mutating func takeGroup(bytes limit: Int64) -> Work {
        var bytes: Int64 = 0
        var count = 0
        for request in requests {
            bytes += request.queueBytes
            if count > 0, bytes > limit { break }
            count += 1
        }
        var group = Work()
        if count == requests.count {
            swap(&group, &self)
        } else {
            group.requests = Array(requests[..<count])
            requests.removeFirst(count)
            swap(&group.settlements, &settlements)
            swap(&group.letters, &letters)
            swap(&group.orders, &orders)
        }
        return group
    }
}

extension NewEvent {
    /// What the quota counts for it.
    @inline(__always)
    var queueBytes: Int64 { Int64(data.count + key.storedBytes) + QueueTotals.eventOverhead }
}

extension AppendRequest {
    var queueBytes: Int64 { events.reduce(0) { $0 + $1.queueBytes } }
}

/// Where callers leave work, from any thread.
final class Mailbox: Sendable {
    private struct State {
        var work = Work()
        /// Whether the writer has been told that there is work, and has not looked yet.
        var isAnnounced = false
        var isClosed = false
    }

    private let state = Mutex(State())

    enum Outcome {
        /// The caller wakes the writer.
        case wake
        /// The writer is awake.
        case added
        case closed
    }

    func add(_ change: (inout Work) -> Void) -> Outcome {
        state.withLock { state in
            guard !state.isClosed else { return .closed }
            change(&state.work)
            if state.isAnnounced { return .added }
            state.isAnnounced = true
            return .wake
        }
    }

    func takeAll() -> Work {
        state.withLock { state in
            state.isAnnounced = false
            var work = Work()
            swap(&work, &state.work)
            return work
        }
    }

    func close() { state.withLock { $0.isClosed = true } }
}
