// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Glibc
import Testing

/// A pipe whose other end is read when the test says so.
private final class Pipe {
    private let reader: CInt
    let writer: CInt

    init() {
        var ends: [CInt] = [0, 0]
        precondition(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit { close(reader) }

    func closeWriter() { close(writer) }

    /// Fills it to the brim.
    func fill() -> Int {
        _ = fcntl(writer, F_SETFL, fcntl(writer, F_GETFL) | O_NONBLOCK)
        defer { _ = fcntl(writer, F_SETFL, fcntl(writer, F_GETFL) & ~O_NONBLOCK) }
        let block = [UInt8](repeating: UInt8(ascii: "."), count: 4096)
        var total = 0
        while true {
            let count = write(writer, block, block.count)
            if count < 0 { return total }
            total += count
        }
    }

    func read(_ count: Int) -> String {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while bytes.count < count {
            let got = Glibc.read(reader, &block, min(block.count, count - bytes.count))
            guard got > 0 else { break }
            bytes += block[..<got]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func readToEnd() -> [Substring] { read(.max).split(separator: "\n") }
}

@Suite struct LogBufferTests {
    @Test func linesAreWrittenInTheirOrder() {
        let pipe = Pipe()
        let buffer = LogBuffer(LogOutput(descriptor: pipe.writer))
        for number in 0..<100 { buffer.append("line \(number)\n") }
        #expect(buffer.flush(within: .seconds(60)))
        pipe.closeWriter()
        #expect(pipe.readToEnd() == (0..<100).map { "line \($0)" })
    }

    @Test func aReaderThatStopsReadingKeepsNobodyWaitingAndIsToldWhatWasDropped() {
        let pipe = Pipe()
        let buffer = LogBuffer(LogOutput(descriptor: pipe.writer), maxBytes: 10_000)
        let filled = pipe.fill()
        // Each returns, although nothing can be written.
        for number in 0..<5000 { buffer.append("line \(number)\n") }
        #expect(!buffer.flush(within: .milliseconds(1)))
        let dropped = buffer.dropped
        #expect(buffer.isDropping)
        // Twice the bound at most is kept: what waits, and what the thread has taken.
        #expect(dropped > 5000 - 2 * 10_000 / "line 0\n".utf8.count)
        _ = pipe.read(filled)
        #expect(buffer.flush(within: .seconds(60)))
        #expect(!buffer.isDropping)
        buffer.append("after\n")
        #expect(buffer.flush(within: .seconds(60)))
        pipe.closeWriter()
        let lines = pipe.readToEnd()
        // Each line is there, or counted where it is missing.
        var (next, told) = (0, 0)
        for line in lines.dropLast() {
            if line == "line \(next)" {
                next += 1
            } else if let count = Self.dropped(line) {
                next += count
                told += count
            } else {
                Issue.record("'\(line)' where line \(next) was to be")
                break
            }
        }
        #expect(next == 5000)
        #expect(told == dropped)
        #expect(lines.last == "after")
        #expect(buffer.dropped == dropped)
    }

    private static func dropped(_ line: Substring) -> Int? {
        line.firstMatch(of: /warning: (\d+) log lines? dropped: the log was not read in time$/).flatMap { Int($0.1) }
    }

    @Test func aDescriptorThatDoesNotBlockLosesNothing() {
        let pipe = Pipe()
        let filled = pipe.fill()
        _ = fcntl(pipe.writer, F_SETFL, fcntl(pipe.writer, F_GETFL) | O_NONBLOCK)
        let buffer = LogBuffer(LogOutput(descriptor: pipe.writer))
        buffer.append("line\n")
        _ = pipe.read(filled)
        #expect(buffer.flush(within: .seconds(60)))
        pipe.closeWriter()
        #expect(pipe.readToEnd() == ["line"])
    }

    @Test func anEndlessLineIsCut() {
        let pipe = Pipe()
        let buffer = LogBuffer(LogOutput(descriptor: pipe.writer))
        buffer.append(String(repeating: "é", count: 40_000) + "\n")
        #expect(buffer.flush(within: .seconds(60)))
        pipe.closeWriter()
        let lines = pipe.readToEnd()
        #expect(lines.count == 1)
        #expect(lines[0].utf8.count < 33 << 10 && lines[0].hasSuffix("é…"))
    }

    @Test func aLogThatNobodyHasOpenIsNoHindrance() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            var ends: [CInt] = [0, 0]
            precondition(pipe(&ends) == 0)
            close(ends[0])
            let buffer = LogBuffer(LogOutput(descriptor: ends[1]))
            buffer.append("line\n")
            #expect(buffer.flush(within: .seconds(60)))
        }
    }
}
