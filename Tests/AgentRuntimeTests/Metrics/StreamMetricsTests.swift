// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentCore
@testable import AgentQueue
@testable import AgentRuntime

@Suite struct StreamMetricsTests {
    private func stream(_ number: Int, accepted: Int64, age: Int) -> QueueSnapshot.Stream {
        var totals = QueueTotals()
        totals.accepted = accepted
        return QueueSnapshot.Stream(
            id: DestinationID(Int64(number)),
            destination: Destination(region: "us-east-1", stream: "s\(number)"),
            isPaused: false,
            maxBytes: 0,
            totals: totals,
            oldestAge: .seconds(age)
        )
    }

    private func snapshot(_ streams: [QueueSnapshot.Stream]) -> QueueSnapshot {
        QueueSnapshot(
            streams: streams,
            totals: QueueTotals(),
            maxBytes: 0,
            oldestAge: nil,
            lastID: .zero,
            isTampered: false,
            isDiskFull: false,
            unavailable: nil
        )
    }

    private func samples(_ name: String, _ metrics: StreamMetrics) -> [String: Double] {
        let family = metrics.families.first { $0.name == name }
        return Dictionary(
            uniqueKeysWithValues: (family?.samples ?? []).map { sample in
                guard case .number(let number) = sample.value else { return ("", -1) }
                return (sample.labels.map(\.value).joined(separator: " "), number)
            }
        )
    }

    @Test func streamsBeyondTheBoundAreOneAndNothingOfThemIsMissing() {
        let streams = [stream(1, accepted: 5, age: 1), stream(2, accepted: 7, age: 9), stream(3, accepted: 11, age: 4)]
        let metrics = StreamMetrics(snapshot: snapshot(streams), delivery: [], limit: 1)
        #expect(samples("agentd_accepted_events_total", metrics) == ["s1 us-east-1": 5, "other other": 18])
        #expect(samples("agentd_queue_oldest_age_seconds", metrics) == ["s1 us-east-1": 1, "other other": 9])
        #expect(samples("agentd_stream_state", metrics)["other other ok"] == 2)
    }

    @Test func aStreamThatNeverHadEventsIsThereToo() {
        let status = DestinationStatus(
            id: DestinationID(9),
            destination: Destination(region: "us-east-1", stream: "new"),
            state: .parked,
            limitedBy: nil,
            inFlight: 2,
            retries: 3,
            throttled: 4,
            lastFault: nil,
            parkedBecause: nil
        )
        let metrics = StreamMetrics(snapshot: snapshot([]), delivery: [status])
        #expect(samples("agentd_stream_state", metrics)["new us-east-1 parked"] == 1)
        #expect(samples("agentd_stream_state", metrics)["new us-east-1 ok"] == 0)
        #expect(samples("agentd_stream_retried_events_total", metrics) == ["new us-east-1": 3])
        #expect(samples("agentd_stream_throttled_events_total", metrics) == ["new us-east-1": 4])
        #expect(samples("agentd_stream_in_flight_events", metrics) == ["new us-east-1": 2])
    }

    @Test func aRequestIsCountedByWhatBecameOfIt() {
        let kinds: [(SendFailure, DeliveryMetrics.Outcome)] = [
            (SendFailure(kind: .transport, message: "", isTimeout: true), .timeout),
            (SendFailure(kind: .transport, message: ""), .transport),
            (SendFailure(kind: .response, status: 500, code: "InternalFailure", message: ""), .serverError),
            (SendFailure(kind: .response, status: 400, code: "ThrottlingException", message: ""), .throttled),
            (SendFailure(kind: .response, status: 400, code: "AccessDeniedException", message: ""), .refused),
            (SendFailure(kind: .foreign, status: 502, message: ""), .serverError),
        ]
        for (failure, outcome) in kinds { #expect(DeliveryMetrics.judge(failure) == outcome) }
    }
}
