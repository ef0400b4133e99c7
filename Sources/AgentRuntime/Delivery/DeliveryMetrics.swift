// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// What is counted of requests to Kinesis, once a request. Any thread.
final class DeliveryMetrics: Sendable {
    /// What became of a request.
    enum Outcome: String, CaseIterable {
        /// Every record of it was stored.
        case accepted
        /// Some records were not.
        case partial
        /// The request, or every record of it that was not stored, for going over a limit of the stream.
        case throttled
        /// Kinesis said no.
        case refused
        /// Kinesis, or what stands before it, has a fault.
        case serverError = "server_error"
        case timeout
        case connect
        case transport
        case unintelligible
        case noCredentials = "no_credentials"
    }

    private let requests: [Outcome: Counter]
    private let records: (accepted: Counter, throttled: Counter, refused: Counter)
    private let sentRecords: Counter
    private let sentBytes: Counter
    private let duration: Histogram
    private let requestsInFlight: Gauge
    private let eventsInFlight: Gauge

    init(_ registry: MetricRegistry) {
        requests = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map { outcome in
                let labels = [MetricLabel("outcome", outcome.rawValue)]
                let help = "Requests to Kinesis that ended, by what became of them."
                return (outcome, registry.counter("agentd_kinesis_requests_total", help, labels))
            }
        )
        func records(_ outcome: String) -> Counter {
            registry.counter(
                "agentd_kinesis_records_total",
                "Records that Kinesis answered for, by what it said.",
                [MetricLabel("outcome", outcome)]
            )
        }
        self.records = (records("accepted"), records("throttled"), records("refused"))
        sentRecords = registry.counter(
            "agentd_kinesis_sent_records_total",
            "Records in the requests that were made; what is sent again counts again."
        )
        sentBytes = registry.counter("agentd_kinesis_sent_bytes_total", "Bytes of those records' data and keys.")
        duration = registry.histogram(
            "agentd_kinesis_request_duration_seconds",
            "How long a request to Kinesis took, however it ended.",
            .ofDurations(milliseconds: [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000])
        )
        requestsInFlight = registry.gauge("agentd_kinesis_requests_in_flight", "Requests to Kinesis under way.")
        eventsInFlight = registry.gauge("agentd_kinesis_events_in_flight", "Events in those requests.")
    }

    func began(_ batch: Batch) {
        requestsInFlight.add(1)
        eventsInFlight.add(batch.events.count)
    }

    func ended(_ batch: Batch, _ outcome: SendOutcome, after time: Duration) {
        requestsInFlight.add(-1)
        eventsInFlight.add(-batch.events.count)
        duration.record(time)
        let kind = judge(outcome)
        requests[kind]?.add()
        // Nothing was sent.
        if kind == .noCredentials || kind == .connect { return }
        let records = batch.request.records
        sentRecords.add(records.count)
        sentBytes.add(
            records.reduce(0) { $0 + $1.data.count + $1.partitionKey.utf8.count + $1.explicitHashKey.utf8.count }
        )
    }

    private func judge(_ outcome: SendOutcome) -> Outcome {
        switch outcome {
        case .failed(let failure): return Self.judge(failure)
        case .answered(let outcomes):
            var (accepted, throttled, refused) = (0, 0, 0)
            for outcome in outcomes {
                switch outcome {
                case .accepted: accepted += 1
                case .refused(let code, _): if Self.isThrottling(code) { throttled += 1 } else { refused += 1 }
                }
            }
            records.accepted.add(accepted)
            if throttled > 0 { records.throttled.add(throttled) }
            if refused > 0 { records.refused.add(refused) }
            if throttled + refused == 0 { return .accepted }
            if accepted > 0 { return .partial }
            return refused == 0 ? .throttled : .refused
        }
    }

    static func judge(_ failure: SendFailure) -> Outcome {
        switch failure.kind {
        case .noCredentials: .noCredentials
        case .connect: .connect
        case .transport: failure.isTimeout ? .timeout : .transport
        case .unintelligible: .unintelligible
        case .response where isThrottling(failure.code): .throttled
        case .response, .foreign: failure.status >= 500 ? .serverError : .refused
        }
    }

    private static func isThrottling(_ code: String) -> Bool {
        switch code {
        case "ProvisionedThroughputExceededException", "ThrottlingException", "LimitExceededException",
            "KMSThrottlingException", "Throttling", "RequestLimitExceeded":
            true
        default: false
        }
    }
}
