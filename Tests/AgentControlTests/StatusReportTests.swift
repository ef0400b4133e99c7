// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import FoundationEssentials
import Testing

extension StatusReport {
    /// One of everything that a status can show.
    static var sample: StatusReport {
        var report = StatusReport()
        report.agent.version = "1.2.3"
        report.agent.pid = 4711
        report.agent.uptimeSeconds = 273_905
        report.queue.events = 12_345
        report.queue.bytes = 1 << 30
        report.queue.maxBytes = 4 << 30
        report.queue.oldestAgeSeconds = 7500
        report.queue.deadLetters = 3
        report.totals.accepted = 1_234_567
        report.totals.delivered = 1_222_219
        report.totals.deadLettered = 3
        report.totals.refused = 7
        var clicks = Stream()
        clicks.name = "clicks"
        clicks.region = "us-east-1"
        clicks.queuedEvents = 345
        clicks.queuedBytes = 70_000
        clicks.inFlight = 50
        clicks.oldestAgeSeconds = 0.75
        clicks.delivered = 1_222_000
        clicks.retries = 12
        clicks.limitedBy = "key_order"
        var orders = Stream()
        orders.name = "orders"
        orders.region = "eu-west-1"
        orders.state = .parked
        orders.queuedEvents = 12_000
        orders.queuedBytes = 1_073_671_824
        orders.oldestAgeSeconds = 7500
        orders.delivered = 219
        orders.throttled = 40
        orders.deadLetters = 3
        orders.refused = 7
        orders.lastError = Problem(
            code: "ResourceNotFoundException",
            message: "Stream orders under account 111122223333 not found.",
            remedy: "Create the stream, or take it out of agent.conf.",
            at: "2026-11-22T06:41:57Z"
        )
        report.streams = [clicks, orders]
        return report
    }
}

@Suite struct StatusReportTests {
    private func members(_ value: some Encodable) throws -> [String: Any] {
        // JSONSerialization is Foundation's: the document is small enough to be taken apart by Codable.
        let data = Data(try controlJSON(value, pretty: false).utf8)
        return try JSONDecoder().decode([String: Anything].self, from: data).mapValues(\.value)
    }

    @Test func hasTheKeysOfTheContract() throws {
        let report = try members(StatusReport.sample)
        #expect(Set(report.keys) == ["agent", "queue", "totals", "streams"])
        let agent = try #require(report["agent"] as? [String: Any])
        #expect(Set(agent.keys) == ["version", "pid", "uptime_seconds", "state", "problems"])
        let queue = try #require(report["queue"] as? [String: Any])
        #expect(Set(queue.keys) == ["events", "bytes", "max_bytes", "oldest_age_seconds", "dead_letters"])
        let totals = try #require(report["totals"] as? [String: Any])
        #expect(
            Set(totals.keys) == ["accepted", "delivered", "dead_lettered", "expired", "evicted", "lost", "refused"]
        )
        for stream in try #require(report["streams"] as? [[String: Any]]) {
            #expect(
                Set(stream.keys) == [
                    "name", "region", "state", "queued_events", "queued_bytes", "in_flight", "oldest_age_seconds",
                    "delivered", "retries", "throttled", "dead_letters", "refused", "limited_by", "last_error",
                ]
            )
        }
    }

    @Test func whatThereIsNotIsNull() throws {
        let streams = try #require(try members(StatusReport.sample)["streams"] as? [[String: Any]])
        #expect(streams[0]["limited_by"] as? String == "key_order" && streams[0]["last_error"] is Null)
        #expect(streams[1]["limited_by"] is Null && streams[1]["state"] as? String == "parked")
        let error = try #require(streams[1]["last_error"] as? [String: Any])
        #expect(Set(error.keys) == ["code", "message", "remedy", "at"])
    }

    @Test func statesAreTheWordsOfTheContract() throws {
        for (state, word) in [
            (StatusReport.StreamState.ok, "ok"), (.backingOff, "backing_off"), (.parked, "parked"), (.paused, "paused"),
        ] {
            #expect(state.rawValue == word)
        }
        #expect(StatusReport.AgentState.running.rawValue == "running")
        #expect(StatusReport.AgentState.draining.rawValue == "draining")
        #expect(StatusReport.AgentState.degraded.rawValue == "degraded")
    }

    @Test func payloadsAreTextOrBase64() throws {
        let text = try members(EventReport.sample(1, key: "k", .init(#"{"a":1}"#)))
        #expect(text["data"] as? String == #"{"a":1}"# && text["data_base64"] == nil)
        #expect(text["partition_key"] as? String == "k" && text["explicit_hash_key"] is Null)
        let binary = try members(DeadLetterReport.sample(1, .init([0xff])))
        #expect(binary["data_base64"] as? String == "/w==" && binary["data"] == nil)
        #expect(binary["code"] as? String == "record_rejected" && binary["dead_seconds"] as? Double == 5)
    }
}

private struct Null {}

/// Any JSON value.
private struct Anything: Decodable {
    let value: Any

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            value = Null()
        } else if let number = try? container.decode(Double.self) {
            value = number
        } else if let text = try? container.decode(String.self) {
            value = text
        } else if let list = try? container.decode([Anything].self) {
            value = list.map(\.value) as [Any]
        } else {
            value = try container.decode([String: Anything].self).mapValues(\.value)
        }
    }
}
