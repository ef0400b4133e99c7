// SPDX-License-Identifier: Apache-2.0

public import AgentCore
internal import NIOCore

/// The form in which events come in.
enum FrontDoor: String, CaseIterable {
    case events
    case lambda
    case put
    case proxy
    case kinesis
    case lines
    case other

    /// Its place among all.
    var index: Int {
        switch self {
        case .events: 0
        case .lambda: 1
        case .put: 2
        case .proxy: 3
        case .kinesis: 4
        case .lines: 5
        case .other: 6
        }
    }
}

/// What is counted of intake. Any thread; one for all event loops.
public final class IngestMetrics: Sendable {
    struct Accepted: Sendable {
        let requests: Counter
        let events: Counter
        let bytes: Counter
    }

    /// By ``FrontDoor/index``.
    let accepted: [Accepted]
    let refusals: LabelledCounters
    let appendDuration: Histogram
    let memory: Gauge
    private let tcp: Gauge
    private let unix: Gauge

    public init(_ registry: MetricRegistry) {
        accepted = FrontDoor.allCases.map { door in
            let labels = [MetricLabel("door", door.rawValue)]
            return Accepted(
                requests: registry.counter(
                    "agentd_ingest_requests_total",
                    "Requests, or groups of lines, whose events were kept and that were answered so.",
                    labels
                ),
                events: registry.counter("agentd_ingest_events_total", "Events of those requests.", labels),
                bytes: registry.counter(
                    "agentd_ingest_bytes_total",
                    "Bytes of those requests' bodies; of lines, of the events and keys in them.",
                    labels
                )
            )
        }
        refusals = LabelledCounters(
            registry,
            "agentd_ingest_refusals_total",
            "Requests and lines that were turned away, by the word that the answer gives as the error.",
            label: "reason",
            values: ["queue_full", "disk_full", "event_too_large", "malformed_json", "stream_not_listed"]
        )
        appendDuration = registry.histogram(
            "agentd_ingest_append_duration_seconds",
            "From when a request is whole to when its events are known to be kept, or not.",
            .ofDurations(milliseconds: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000])
        )
        memory = registry.gauge(
            "agentd_ingest_memory_bytes",
            "What clients have begun and what is with the queue, as listen.memory limits it."
        )
        let help = "Connections that are open."
        tcp = registry.gauge("agentd_ingest_connections", help, [MetricLabel("listener", "tcp")])
        unix = registry.gauge("agentd_ingest_connections", help, [MetricLabel("listener", "unix")])
    }

    func connections(of door: Door) -> Gauge {
        switch door {
        case .tcp: tcp
        case .unix: unix
        }
    }
}

/// What an event loop counts for itself, to tell of it once for all answers of a commit. Lives on the loop.
struct IngestTally {
    private struct Accepted {
        var requests = 0
        var events = 0
        var bytes = 0
    }

    private let metrics: IngestMetrics
    private var accepted = [Accepted](repeating: Accepted(), count: FrontDoor.allCases.count)
    private var refusals: [String: Counter] = [:]
    private var toldMemory = 0
    /// Requests that were handed to the queue together, and when.
    private var handedOver = CircularBuffer<(count: Int, at: NIODeadline)>()

    init(_ metrics: IngestMetrics) { self.metrics = metrics }

    mutating func accepted(_ door: FrontDoor, events: Int, bytes: Int) {
        accepted[door.index].requests += 1
        accepted[door.index].events += events
        accepted[door.index].bytes += bytes
    }

    mutating func refused(_ reason: String) {
        if let counter = refusals[reason] { return counter.add() }
        let counter = metrics.refusals[reason]
        refusals[reason] = counter
        counter.add()
    }

    mutating func handedOver(_ requests: Int, at now: NIODeadline) { handedOver.append((requests, now)) }

    /// So many requests were answered by the queue. It answers nearly in the order in which they came; where it does
    /// not, they are taken for one another.
    mutating func answered(_ requests: Int, at now: NIODeadline) {
        var left = requests
        while left > 0, let first = handedOver.first {
            let count = min(left, first.count)
            metrics.appendDuration.record((now - first.at).nanoseconds, times: count)
            left -= count
            if count == first.count {
                handedOver.removeFirst()
            } else {
                handedOver[handedOver.startIndex].count -= count
            }
        }
    }

    /// Tells what came up since it was last told.
    mutating func tell() {
        for index in accepted.indices where accepted[index].requests > 0 {
            metrics.accepted[index].requests.add(accepted[index].requests)
            metrics.accepted[index].events.add(accepted[index].events)
            metrics.accepted[index].bytes.add(accepted[index].bytes)
            accepted[index] = Accepted()
        }
    }

    /// - Parameter held: what is held now of the loop's memory, in bytes.
    mutating func tellMemory(_ held: Int) {
        guard held != toldMemory else { return }
        metrics.memory.add(held - toldMemory)
        toldMemory = held
    }
}
