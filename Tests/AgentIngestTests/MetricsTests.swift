// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Testing

@testable import AgentIngest

@Suite struct MetricsTests {
    private let scrape = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private func value(_ name: String, _ labels: [String: String], _ server: TestServer) -> Double? {
        let family = server.metrics.families.first { $0.name == name }
        let sample = family?.samples.first { sample in
            labels == Dictionary(uniqueKeysWithValues: sample.labels.map { ($0.name, $0.value) })
        }
        guard case .number(let number) = sample?.value else { return nil }
        return number
    }

    private func post(_ body: String, _ path: String = "/v1/streams/clicks/events", _ type: String = "text/plain")
        -> String
    {
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func theTextIsAnsweredWhenItIsThereAndOthersAreServedMeanwhile() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(scrape)
        #expect(try connection.drainOutput().isEmpty)
        #expect(try server.reply(to: post("x")).status == 202)
        server.pages.answer("a 1\n")
        let reply = try connection.reply()
        #expect(reply.status == 200 && reply.body == "a 1\n")
        #expect(reply.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test func headOfMetricsHasTheLengthAndNoBody() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.pages.answer("a 1\n")
        let text = try connection.drainOutput()
        #expect(text.contains("Content-Length: 4\r\n") && text.hasSuffix("\r\n\r\n"))
    }

    @Test func aForeignHostGetsNoMetrics() throws {
        let server = TestServer()
        let reply = try server.reply(to: "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        #expect(reply.status == 403 && server.pages.count == 0)
    }

    @Test func aConnectionHasOneTextInTheMakingAndItsNextRequestIsAnsweredAfterIt() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(scrape + scrape + post("x"))
        #expect(server.pages.count == 1)
        server.pages.answer("a 1\n")
        server.turn()
        #expect(server.pages.count == 1)
        server.pages.answer("a 2\n")
        #expect(try connection.replies().map(\.status) == [200, 200, 202])
    }

    @Test func moreThanTenScrapesInASecondAreToldToWait() throws {
        let server = TestServer()
        for _ in 0..<10 {
            let connection = try server.connect()
            try connection.send(scrape)
            server.pages.answer("")
            #expect(try connection.reply().status == 200)
        }
        #expect(try server.reply(to: scrape).status == 503)
        server.advance(.seconds(1))
        let later = try server.connect()
        try later.send(scrape)
        server.pages.answer("")
        #expect(try later.reply().status == 200)
    }

    @Test func aClientThatLeavesBeforeItsTextIsThereDoesNoHarm() throws {
        let server = TestServer()
        let connection = try server.connect()
        try connection.send(scrape)
        _ = try connection.channel.finish(acceptAlreadyClosed: true)
        server.pages.answer("a 1\n")
        server.turn()
        #expect(try server.reply(to: post("x")).status == 202)
    }

    @Test func whatIsKeptIsCountedByTheFormInWhichItCame() throws {
        let server = TestServer()
        _ = try server.reply(to: post("1\n22\n", "/v1/streams/clicks/events", "application/x-ndjson"))
        _ = try server.reply(to: post("333"))
        let lines = try server.connect(isLocal: true)
        try lines.send(#"{"stream":"clicks","event":4444}"# + "\n")
        server.turn()
        #expect(value("agentd_ingest_requests_total", ["door": "events"], server) == 2)
        #expect(value("agentd_ingest_events_total", ["door": "events"], server) == 3)
        #expect(value("agentd_ingest_bytes_total", ["door": "events"], server) == 8)
        #expect(value("agentd_ingest_events_total", ["door": "lines"], server) == 1)
        #expect(value("agentd_ingest_bytes_total", ["door": "lines"], server) == 4)
        let durations = server.metrics.families.first { $0.name == "agentd_ingest_append_duration_seconds" }
        guard case .histogram(let reading) = durations?.samples.first?.value else {
            Issue.record("no histogram")
            return
        }
        #expect(reading.counts.reduce(0, +) == 3)
    }

    @Test func whatIsTurnedAwayIsCountedByItsReason() throws {
        let server = TestServer()
        _ = try server.reply(to: post("1", "/v1/streams/none/events"))
        _ = try server.reply(to: post("{", "/v1/streams/clicks/events", "application/json"))
        _ = try server.reply(to: post("{", "/v1/streams/clicks/events", "application/json"))
        #expect(value("agentd_ingest_refusals_total", ["reason": "stream_not_listed"], server) == 1)
        #expect(value("agentd_ingest_refusals_total", ["reason": "malformed_json"], server) == 2)
    }

    @Test func connectionsAreCountedWhileTheyAreOpen() throws {
        let server = TestServer()
        let connection = try server.connect()
        #expect(value("agentd_ingest_connections", ["listener": "tcp"], server) == 1)
        _ = try connection.channel.finish(acceptAlreadyClosed: true)
        #expect(value("agentd_ingest_connections", ["listener": "tcp"], server) == 0)
    }

    @Test func timesAreThoseOfTheRequestsThatWereHandedOverFirst() {
        let registry = MetricRegistry()
        var tally = IngestTally(IngestMetrics(registry))
        let start = NIODeadline.uptimeNanoseconds(0)
        tally.handedOver(2, at: start)
        tally.handedOver(1, at: start + .milliseconds(40))
        tally.answered(1, at: start + .milliseconds(1))
        tally.answered(2, at: start + .milliseconds(50))
        let durations = registry.families.first { $0.name == "agentd_ingest_append_duration_seconds" }
        guard case .histogram(let reading) = durations?.samples.first?.value else {
            Issue.record("no histogram")
            return
        }
        #expect(reading.sum == 0.061)
    }
}
