// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import agent_bench

struct AnswerReaderTests {
    /// Feeds `text` in pieces of `size` bytes.
    private func read(_ text: String, _ format: AnswerReader.Format, size: Int) throws -> Int {
        var reader = AnswerReader(format)
        var events = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            events += try Array(rest.prefix(size)).withUnsafeBytes { try reader.read($0) }
            rest = rest.dropFirst(size)
        }
        return events
    }

    private static let accepted = #"{"accepted":500,"first_id":7,"last_id":506}"#
    private static let response =
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: \(accepted.utf8.count)\r\n\r\n"
        + accepted

    @Test(arguments: [1, 2, 7, 100, 101, 1000])
    func responsesAreReadHoweverTheyAreCut(size: Int) throws {
        #expect(try read(Self.response + Self.response.lowercased() + Self.response, .http, size: size) == 1500)
    }

    @Test func anyOtherStatusIsARefusal() {
        #expect(throws: BenchError.self) {
            try read("HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 2\r\n\r\n{}", .http, size: 1000)
        }
    }

    @Test func anAnswerOfPutRecordsIsForAllOfThemOrARefusal() throws {
        func answer(_ failed: Int) -> String {
            let body = "{\"FailedRecordCount\":\(failed),\"Records\":[]}"
            return "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        #expect(try read(answer(0) + answer(0), .putRecords(500), size: 9) == 1000)
        #expect(throws: BenchError.self) { try read(answer(1), .putRecords(500), size: 9) }
    }

    @Test(arguments: [1, 3, 14, 1000])
    func acksCountFromTheConnectionsBegin(size: Int) throws {
        #expect(try read("{\"acked\":50}\n{\"acked\":120}\n{\"acked\":1000}\n{\"ack", .lines, size: size) == 1000)
    }

    @Test func aRefusedLineIsARefusal() {
        #expect(throws: BenchError.self) {
            try read("{\"acked\":5}\n{\"line\":6,\"error\":\"bad\",\"message\":\"m\"}\n", .lines, size: 1000)
        }
    }
}
