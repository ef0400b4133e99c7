// SPDX-License-Identifier: Apache-2.0
import AgentCore

// What operators limit, and what is counted.

extension ModelQueue {
    struct Limits {
        /// For all queued events together: data, keys and 64 bytes an event. 0: no limit.
        var maxBytes = 0
        /// What is full drops its oldest events, or refuses new ones.
        var dropsOldest = false
        var maxAge: Duration?
    }

    /// What happened to the events of a destination. Survives crashes, as it is written in the same commits.
    struct Totals {
        var accepted = 0
        var delivered = 0
        var deadLettered = 0
        var expired = 0
        var evicted = 0
        var refused = 0
        var queued = 0
        var queuedBytes = 0

        var balance: Bool { accepted == delivered + queued + deadLettered + expired + evicted }

        mutating func appended(_ row: Row) {
            accepted += 1
            queued += 1
            queuedBytes += row.bytes
        }

        mutating func met(_ fate: Fate, _ row: Row) {
            queued -= 1
            queuedBytes -= row.bytes
            switch fate {
            case .delivered: delivered += 1
            case .deadLettered: deadLettered += 1
            case .removed(.expired): expired += 1
            case .removed(.evicted): evicted += 1
            }
        }
    }

    /// Those of a destination that have no fate yet, oldest first.
    func oldest(of destination: DestinationID) -> some Sequence<Int64> {
        (idsOf[destination] ?? []).lazy.filter { self.rows[Int($0) - 1].fate == nil }
    }

    func age(of id: Int64) -> Duration {
        world.now - Instant(nanoseconds: rows[Int(id) - 1].event.acceptedMS * 1_000_000)
    }

    /// Whether the events of a request, which are all of one destination, may be stored. What drops oldest events drops
    /// those of a destination that has more than its share, else the oldest of all.
    func makeRoom(for drafts: [Draft], _ commit: inout Commit) -> Bool {
        guard limits.maxBytes > 0, let destination = drafts.first?.destination else { return true }
        let tenth = limits.maxBytes / 10
        let wanted = drafts.reduce(0) { $0 + $1.bytes }
        func isFull() -> Bool {
            let queued = totals.values.reduce(0) { $0 + $1.queuedBytes } + wanted
            let used = (totals[destination]?.queuedBytes ?? 0) + wanted
            return queued > limits.maxBytes || queued > limits.maxBytes - tenth && used > tenth
        }
        guard limits.dropsOldest, wanted <= tenth else { return !isFull() }
        while isFull() {
            guard let victim = totals.filter({ $0.value.queuedBytes > tenth }).keys.min() ?? oldestOfAll else {
                return false
            }
            remove(Array(oldest(of: victim).prefix(1)), of: victim, .evicted, &commit)
        }
        return true
    }

    private var oldestOfAll: DestinationID? {
        rows.first { $0.fate == nil }?.destination
    }

    func remove(_ ids: [Int64], of destination: DestinationID, _ cause: Commit.RemovalCause, _ commit: inout Commit) {
        guard let last = ids.last else { return }
        for id in ids { meet(EventID(id), .removed(cause)) }
        commit.removed.append(
            .init(destination: destination, through: EventID(last), count: ids.count, cause: cause)
        )
    }
}

extension ModelQueue.Row {
    var bytes: Int { event.data.count + event.key.storedBytes + 64 }
}

extension ModelQueue.Draft {
    var bytes: Int { data.count + key.storedBytes + 64 }
}
