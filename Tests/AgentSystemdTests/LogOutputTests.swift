// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Glibc
import Testing

@Suite struct LogOutputTests {
    @Test func theJournalGetsPriorities() async {
        await #expect(processExitsWith: .success) {
            var ends: [Int32] = [0, 0]
            precondition(pipe(&ends) == 0)
            var status = stat()
            fstat(ends[1], &status)
            setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
            let output = LogOutput(descriptor: ends[1])
            #expect(output.isJournal)
            #expect(
                output.line(.warning, "queue on a risky file system kind=tmpfs")
                    == "<4>queue on a risky file system kind=tmpfs\n"
            )
            #expect(output.plainLine(.error, "Cannot listen.") == "<3>Cannot listen.\n")
        }
    }

    @Test func elsewhereALineHasTimeAndLevel() async throws {
        await #expect(processExitsWith: .success) {
            var ends: [Int32] = [0, 0]
            precondition(pipe(&ends) == 0)
            // Of a stderr that was redirected since.
            setenv("JOURNAL_STREAM", "1:2", 1)
            let output = LogOutput(descriptor: ends[1])
            #expect(output.plainLine(.error, "agentd: Cannot listen.") == "agentd: Cannot listen.\n")
            let line = output.line(.error, "disk full")
            let time = try #require(line.split(separator: " ").first)
            #expect(line == "\(time) error: disk full\n")
            #expect(time.count == 24 && time.hasPrefix("20") && time.hasSuffix("Z"))
        }
    }
}
