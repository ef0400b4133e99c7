// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Lines that go into the queue together.
struct LineGroup {
    /// Bounds of a group: large enough to share commits well, small enough that half a queue takes it.
    static let maxLines = 500
    static let maxBytes = 256 << 10
    /// What the queue counts for an event beside its data and key.
    private static let eventOverhead = 64

    private(set) var events: [NewEvent] = []
    /// The number of each event's line.
    private(set) var numbers: [Int] = []
    /// As the queue counts, in bytes.
    private(set) var cost = 0

    /// Of the events and their keys alone.
    var eventBytes: Int { cost - events.count * Self.eventOverhead }

    var isFull: Bool { events.count >= Self.maxLines || cost >= Self.maxBytes }

    mutating func append(_ event: NewEvent, line: Int) {
        events.append(event)
        numbers.append(line)
        cost += event.data.count + event.key.storedBytes + Self.eventOverhead
    }

    /// Two groups of half the events each; this one has at least two.
    func halves() -> (LineGroup, LineGroup) {
        var (first, second) = (LineGroup(), LineGroup())
        for i in events.indices {
            if i < events.count / 2 {
                first.append(events[i], line: numbers[i])
            } else {
                second.append(events[i], line: numbers[i])
            }
        }
        return (first, second)
    }
}

extension AppendRefusal {
    /// The limit that the queue, or the stream's share of it, has: `nil` where no lack of room is the reason.
    var roomLimit: Int64? {
        switch self {
        case .queueFull(_, let limit), .destinationFull(_, _, let limit): limit
        case .lastTenth(_, _, let limit): limit - limit / 10
        case .tooLarge: 0
        case .diskFull, .locked: .max
        case .keyReused, .stopping, .tampered, .unknown, .storage: nil
        }
    }
}
