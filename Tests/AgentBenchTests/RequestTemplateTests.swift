// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

@testable import agent_bench

struct RequestTemplateTests {
    struct Event: Decodable {
        let id: String
        let user: String
    }

    struct Line: Decodable {
        let stream: String
        let partitionKey: String?
        let event: Event

        enum CodingKeys: String, CodingKey {
            case stream, event
            case partitionKey = "partition_key"
        }
    }

    private func template(_ kind: RequestTemplate.Kind, events: Int, keys: Int, size: Int = 300) -> RequestTemplate {
        var template = RequestTemplate(
            kind,
            stream: "s",
            host: "h",
            event: EventText(size: size),
            events: events,
            keys: keys
        )
        template.renumber(from: 1_234_567)
        return template
    }

    private func body(_ template: RequestTemplate) throws -> (head: String, body: [UInt8]) {
        let end = try #require(template.bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        return (
            String(decoding: template.bytes[..<end.lowerBound], as: UTF8.self), Array(template.bytes[end.upperBound...])
        )
    }

    @Test(arguments: [64, 65, 100, 227, 228, 300, 5000])
    func eventsAreJSONOfTheSizeThatWasAskedFor(size: Int) throws {
        let text = EventText(size: size)
        #expect(text.bytes.count == size)
        _ = try JSONDecoder().decode(Event.self, from: Data(text.bytes))
    }

    @Test func aPostHasItsKeyInAHeader() throws {
        let (head, body) = try body(template(.posts, events: 1, keys: 10))
        let event = try JSONDecoder().decode(Event.self, from: Data(body))
        #expect(event.id == "0001234567")
        #expect(head.contains("X-Partition-Key: \(event.user)\r\n"))
        #expect(head.hasSuffix("Content-Length: \(body.count)"))
    }

    private struct PutRecords: Decodable {
        struct Record: Decodable {
            let data: Data
            let partitionKey: String

            enum CodingKeys: String, CodingKey {
                case data = "Data"
                case partitionKey = "PartitionKey"
            }
        }

        let streamName: String
        let records: [Record]

        enum CodingKeys: String, CodingKey {
            case streamName = "StreamName"
            case records = "Records"
        }
    }

    @Test func recordsAreAsAnSDKSendsThem() throws {
        for size in [64, 65, 66, 300] {
            let (head, body) = try body(template(.putrecords, events: 3, keys: 10, size: size))
            #expect(head.contains("X-Amz-Target: Kinesis_20131202.PutRecords\r\n"))
            #expect(head.hasSuffix("Content-Length: \(body.count)"))
            let request = try JSONDecoder().decode(PutRecords.self, from: Data(body))
            #expect(request.streamName == "s")
            #expect(request.records.map(\.data) == Array(repeating: Data(EventText(size: size).bytes), count: 3))
            #expect(request.records.allSatisfy { $0.partitionKey.hasPrefix("u-0000000") })
        }
    }

    @Test func withoutKeysAPostHasNone() throws {
        #expect(try !body(template(.posts, events: 1, keys: 0)).head.contains("Partition-Key"))
    }

    @Test func eachEventOfABatchHasItsOwnNumber() throws {
        let (head, body) = try body(template(.ndjson, events: 20, keys: 10))
        #expect(head.contains("Content-Length: \(body.count)"))
        let lines = body.split(separator: UInt8(ascii: "\n"))
        let events = try lines.map { try JSONDecoder().decode(Event.self, from: Data($0)) }
        #expect(events.map { Int($0.id) } == Array(1_234_567..<1_234_587))
    }

    @Test func keysAreThoseThatWereAskedFor() throws {
        let (_, body) = try body(template(.ndjson, events: 1000, keys: 10))
        let users = try body.split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(Event.self, from: Data($0)).user
        }
        #expect(Set(users) == Set((0..<10).map { "u-0000000\($0)" }))
    }

    /// The stream in each of some requests or lines from the event `first` on.
    private func streams(_ kind: RequestTemplate.Kind, events: Int, first: Int) throws -> [String] {
        var template = RequestTemplate(
            kind,
            stream: "s-",
            streams: 3,
            host: "h",
            event: EventText(size: 100),
            events: events,
            keys: 10
        )
        template.renumber(from: first)
        if kind == .lines {
            return try template.bytes.split(separator: UInt8(ascii: "\n")).map {
                try JSONDecoder().decode(Line.self, from: Data($0)).stream
            }
        }
        let head = try body(template).head
        let path = try #require(head.split(separator: " ").dropFirst().first)
        return [String(path.split(separator: "/")[2])]
    }

    @Test func requestsAndLinesGoRoundTheStreams() throws {
        #expect(try streams(.ndjson, events: 20, first: 0) == ["s-0000"])
        #expect(try streams(.ndjson, events: 20, first: 40) == ["s-0002"])
        #expect(try streams(.ndjson, events: 20, first: 60) == ["s-0000"])
        #expect(try streams(.posts, events: 1, first: 7) == ["s-0001"])
        #expect(try streams(.lines, events: 4, first: 5) == ["s-0002", "s-0000", "s-0001", "s-0002"])
    }

    @Test func linesRepeatTheUserAsTheirKey() throws {
        let lines = template(.lines, events: 50, keys: 10_000).bytes.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 50)
        for line in lines {
            let line = try JSONDecoder().decode(Line.self, from: Data(line))
            #expect(line.partitionKey == line.event.user)
        }
    }
}
