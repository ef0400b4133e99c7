// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import FoundationEssentials

/// Makes the status that operators read out of what the queue counts and what delivery knows.
struct StatusAssembly {
    let snapshot: QueueSnapshot
    let delivery: [DestinationStatus]
    /// When `delivery` was asked, on its clock and on the wall.
    let asked: (instant: Instant, wall: Date)

    var streams: [StatusReport.Stream] {
        let counted = Dictionary(uniqueKeysWithValues: snapshot.streams.map { ($0.id, $0) })
        return delivery.compactMap { status in
            let queued = counted[status.id]?.totals.queuedEvents ?? 0
            // Left the configuration, and nothing of it is left here.
            if status.parkedBecause != nil, queued == 0 { return nil }
            var stream = StatusReport.Stream()
            stream.name = status.destination.stream
            stream.region = status.destination.region
            stream.state = Self.state(status.state)
            stream.inFlight = status.inFlight
            stream.retries = status.retries
            stream.throttled = status.throttled
            stream.limitedBy = status.limitedBy?.rawValue
            stream.lastError = problem(of: status)
            if let counted = counted[status.id] {
                stream.queuedEvents = Int(counted.totals.queuedEvents)
                stream.queuedBytes = Int(counted.totals.queuedBytes)
                stream.oldestAgeSeconds = counted.oldestAge?.inSeconds ?? 0
                stream.delivered = Int(counted.totals.delivered)
            }
            return stream
        }
    }

    var queue: StatusReport.Queue {
        var queue = StatusReport.Queue()
        queue.events = Int(snapshot.totals.queuedEvents)
        queue.bytes = Int(snapshot.totals.queuedBytes)
        queue.maxBytes = Int(snapshot.maxBytes)
        queue.oldestAgeSeconds = snapshot.oldestAge?.inSeconds ?? 0
        queue.deadLetters = Int(snapshot.totals.deadEvents)
        return queue
    }

    var totals: StatusReport.Totals {
        var totals = StatusReport.Totals()
        totals.accepted = Int(snapshot.totals.accepted)
        totals.delivered = Int(snapshot.totals.delivered)
        totals.deadLettered = Int(snapshot.totals.deadLettered)
        totals.expired = Int(snapshot.totals.expired)
        totals.evicted = Int(snapshot.totals.evicted)
        totals.lost = Int(snapshot.totals.lost)
        totals.refused = Int(snapshot.totals.refused)
        return totals
    }

    private static func state(_ state: DestinationStatus.State) -> StatusReport.StreamState {
        switch state {
        case .ok: .ok
        case .backingOff: .backingOff
        case .parked: .parked
        case .paused: .paused
        }
    }

    private func problem(of status: DestinationStatus) -> StatusReport.Problem? {
        if let reason = status.parkedBecause {
            return StatusReport.Problem(
                code: "not_configured",
                message: reason,
                remedy: "Add the stream to the configuration again to have its events delivered.",
                at: rfc3339(asked.wall)
            )
        }
        guard let fault = status.lastFault else { return nil }
        let at = asked.wall.addingTimeInterval(-(asked.instant - fault.at).inSeconds)
        return StatusReport.Problem(code: fault.code, message: fault.message, remedy: fault.remedy, at: rfc3339(at))
    }
}

func rfc3339(_ date: Date) -> String { date.formatted(.iso8601) }
