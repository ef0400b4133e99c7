// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue

/// What there is to say of each stream: the totals of the queue file, as of one commit, and how delivery fares.
///
/// The first streams of the file have series of their own; all others are shown together, as the stream `other`. Which
/// ones these are does not change while the agent runs.
struct StreamMetrics {
    /// Of 200 streams the text has some 350 KB.
    static let mostStreams = 200

    let snapshot: QueueSnapshot
    let delivery: [DestinationStatus]
    var limit = StreamMetrics.mostStreams

    /// One stream, or several together.
    private struct Row {
        var labels: [MetricLabel]
        var totals = QueueTotals()
        var oldestAge = 0.0
        var inFlight = 0
        var retries = 0
        var throttled = 0
        /// How many are in each state.
        var states: [DestinationStatus.State: Int] = [:]

        init(_ stream: String, _ region: String) {
            labels = [MetricLabel("stream", stream), MetricLabel("region", region)]
        }
    }

    private var rows: [Row] {
        let fares = Dictionary(delivery.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var rows: [Row] = []
        var rest = Row(LabelledCounters.rest, LabelledCounters.rest)
        func add(_ id: DestinationID, _ destination: Destination, _ stream: QueueSnapshot.Stream?) {
            let isOwn = rows.count < limit
            var row = isOwn ? Row(destination.stream, destination.region) : rest
            if let stream {
                row.totals += stream.totals
                row.oldestAge = max(row.oldestAge, stream.oldestAge?.inSeconds ?? 0)
            }
            let fare = fares[id]
            row.inFlight += fare?.inFlight ?? 0
            row.retries += fare?.retries ?? 0
            row.throttled += fare?.throttled ?? 0
            row.states[fare?.state ?? (stream?.isPaused == true ? .paused : .ok), default: 0] += 1
            if isOwn { rows.append(row) } else { rest = row }
        }
        for stream in snapshot.streams { add(stream.id, stream.destination, stream) }
        let counted = Set(snapshot.streams.map(\.id))
        for status in delivery where !counted.contains(status.id) { add(status.id, status.destination, nil) }
        return rest.states.isEmpty ? rows : rows + [rest]
    }

    var families: [MetricFamily] {
        let rows = rows
        func family(
            _ name: String,
            _ kind: MetricFamily.Kind,
            _ help: String,
            _ value: (Row) -> Double
        ) -> MetricFamily {
            MetricFamily(name, kind, help, rows.map { MetricFamily.Sample($0.labels, .number(value($0))) })
        }
        func total(_ word: String, _ help: String, _ count: KeyPath<QueueTotals, Int64>) -> MetricFamily {
            family("agentd_\(word)_events_total", .counter, help) { Double($0.totals[keyPath: count]) }
        }
        let file = "since the queue file was made"
        var families = [
            total("accepted", "Events taken into the queue, \(file).", \.accepted),
            total("delivered", "Events that Kinesis has, \(file).", \.delivered),
            total("expired", "Events removed for being older than queue.max_age, \(file).", \.expired),
            total("evicted", "Events removed to make room under when_full = drop-oldest, \(file).", \.evicted),
            total("lost", "Events that a damaged file no longer gave, \(file).", \.lost),
            total("refused", "Events turned away by a full queue or disk, \(file).", \.refused),
            // Not a counter: a requeue takes from it.
            family(
                "agentd_dead_lettered_events",
                .gauge,
                "Events that are dead letters, or were purged from them; a requeue takes from it."
            ) { Double($0.totals.deadLettered) },
            family("agentd_dead_letters", .gauge, "Dead letters that are there.") { Double($0.totals.deadEvents) },
            family("agentd_dead_letters_bytes", .gauge, "Their data and keys, and 64 bytes each.") {
                Double($0.totals.deadBytes)
            },
            family("agentd_queue_events", .gauge, "Events in the queue.") { Double($0.totals.queuedEvents) },
            family("agentd_queue_bytes", .gauge, "Their data and keys, and 64 bytes each.") {
                Double($0.totals.queuedBytes)
            },
            family(
                "agentd_queue_oldest_age_seconds",
                .gauge,
                "How long ago the oldest queued event was accepted; 0 where there is none."
            ) { $0.oldestAge },
            family("agentd_stream_in_flight_events", .gauge, "Events in requests under way.") { Double($0.inFlight) },
            family("agentd_stream_retried_events_total", .counter, "Events that were sent again, since start.") {
                Double($0.retries)
            },
            family("agentd_stream_throttled_events_total", .counter, "Events that were throttled, since start.") {
                Double($0.throttled)
            },
        ]
        var state = MetricFamily(
            "agentd_stream_state",
            .gauge,
            "How many streams are in the state: 1 or 0 for one stream."
        )
        for row in rows {
            for (name, word) in Self.states {
                state.add(Double(row.states[name] ?? 0), row.labels + [MetricLabel("state", word)])
            }
        }
        families.append(state)
        return families
    }

    private static let states: [(DestinationStatus.State, String)] =
        [.ok, .backingOff, .parked, .paused].map { ($0, $0.rawValue) }
}
