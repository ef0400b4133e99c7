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

    /// One for each stream that takes events or has some, so that what they have queued is what the queue has.
    var streams: [StatusReport.Stream] {
        var counted = Dictionary(uniqueKeysWithValues: snapshot.streams.map { ($0.id, $0) })
        var streams: [StatusReport.Stream] = delivery.compactMap { status in
            let counted = counted.removeValue(forKey: status.id)
            let queued = counted?.totals.queuedEvents ?? 0
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
            if let counted { count(counted, in: &stream) }
            return stream
        }
        // Introduced to delivery after it was asked, and before the snapshot.
        for new in snapshot.streams where new.totals.queuedEvents > 0 && counted[new.id] != nil {
            var stream = StatusReport.Stream()
            stream.name = new.destination.stream
            stream.region = new.destination.region
            stream.state = new.isPaused ? .paused : .ok
            count(new, in: &stream)
            streams.append(stream)
        }
        return streams
    }

    private func count(_ counted: QueueSnapshot.Stream, in stream: inout StatusReport.Stream) {
        stream.queuedEvents = Int(counted.totals.queuedEvents)
        stream.queuedBytes = Int(counted.totals.queuedBytes)
        stream.oldestAgeSeconds = counted.oldestAge?.inSeconds ?? 0
        stream.delivered = Int(counted.totals.delivered)
        stream.deadLetters = Int(counted.totals.deadEvents)
        stream.refused = Int(counted.totals.refused)
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
            if reason == KinesisWiring.noSuchRegion {
                let fault = Fault(code: "invalid_region", message: reason, disposition: .destination, at: .zero)
                return StatusReport.Problem(
                    code: fault.code,
                    message: reason,
                    remedy: fault.remedy,
                    at: rfc3339(asked.wall)
                )
            }
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
