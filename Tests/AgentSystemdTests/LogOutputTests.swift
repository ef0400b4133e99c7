// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Glibc
import Testing

@Suite struct LogOutputTests {
    @Test func valuesAreQuotedWhereTheyNeedItAndInOrder() {
        #expect(
            LogOutput.text(
                "delivery fault",
                [("stream", "a@eu-west-1"), ("message", "said \"no\" \\ twice"), ("code", ""), ("pair", "a=b")]
            ) == #"delivery fault code="" message="said \"no\" \\ twice" pair="a=b" stream=a@eu-west-1"#
        )
    }

    @Test func aLineStaysOneLine() {
        #expect(LogOutput.text("a\nb", [("k", "x\r\n\t\u{1b}[2J\u{0}")]) == #"a\nb k=x\r\n\t\u{1b}[2J\u{0}"#)
    }

    @Test func theJournalGetsPriorities() async {
        await #expect(processExitsWith: .success) {
            var ends: [Int32] = [0, 0]
            precondition(pipe(&ends) == 0)
            var status = stat()
            fstat(ends[1], &status)
            setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
            let output = LogOutput(descriptor: ends[1])
            #expect(output.isJournal)
            output.write(.warning, "queue on a risky file system kind=tmpfs")
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(ends[0], &bytes, bytes.count)
            #expect(String(decoding: bytes[..<count], as: UTF8.self) == "<4>queue on a risky file system kind=tmpfs\n")
        }
    }

    @Test func elsewhereALineHasTimeAndLevel() async throws {
        await #expect(processExitsWith: .success) {
            var ends: [Int32] = [0, 0]
            precondition(pipe(&ends) == 0)
            // Of a stderr that was redirected since.
            setenv("JOURNAL_STREAM", "1:2", 1)
            LogOutput(descriptor: ends[1]).write(.error, "disk full")
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(ends[0], &bytes, bytes.count)
            let line = String(decoding: bytes[..<count], as: UTF8.self)
            let time = try #require(line.split(separator: " ").first)
            #expect(line == "\(time) error: disk full\n")
            #expect(time.count == 24 && time.hasPrefix("20") && time.hasSuffix("Z"))
        }
    }
}
