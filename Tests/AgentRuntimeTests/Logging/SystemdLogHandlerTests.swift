// SPDX-License-Identifier: Apache-2.0

import AgentCore
import AgentSystemd
import Glibc
import Logging
import Synchronization
import Testing

@testable import AgentRuntime

/// Log lines that were written, read back without the time at their beginning.
private final class Lines {
    private let file: UnsafeMutablePointer<FILE>
    private let time = Time()
    private let buffer: LogBuffer
    let sink: LogSink

    final class Time: Sendable {
        let now = Mutex(Instant.zero)
    }

    init() throws {
        file = try #require(tmpfile())
        let output = LogOutput(descriptor: fileno(file))
        buffer = LogBuffer(output)
        sink = LogSink(
            output: output,
            buffer: buffer,
            limiter: LogRateLimiter(burst: 2, interval: .seconds(60)),
            now: { [time] in time.now.withLock { $0 } }
        )
    }

    deinit { fclose(file) }

    func logger(_ level: Logger.Level = .info) -> Logger {
        Logger(label: "test") { [sink] _ in SystemdLogHandler(level: level, sink: sink) }
    }

    func wait(_ duration: Duration) { time.now.withLock { $0 = $0 + duration } }

    func read() -> [String] {
        buffer.flush(within: .seconds(60))
        rewind(file)
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let text = String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
        return text.split(separator: "\n").map { String($0.drop { $0 != " " }.dropFirst()) }
    }
}

@Suite struct SystemdLogHandlerTests {
    @Test func metadataFollowsTheMessageInOrder() throws {
        let lines = try Lines()
        var log = lines.logger()
        log[metadataKey: "stream"] = "clicks@us-east-1"
        log.notice("delivery resumed", metadata: ["after_seconds": "12", "code": "connect failed"])
        #expect(
            lines.read() == [
                #"notice: delivery resumed after_seconds=12 code="connect failed" stream=clicks@us-east-1"#
            ]
        )
    }

    @Test func linesBelowTheLevelAreNotWritten() throws {
        let lines = try Lines()
        lines.logger(.warning).info("ready")
        #expect(lines.read().isEmpty)
    }

    @Test func faultsThatRepeatAreLimitedByStreamAndCode() throws {
        let lines = try Lines()
        let log = lines.logger()
        for _ in 0..<5 { log.warning("delivery fault", metadata: ["stream": "a", "code": "connect", "id": "1"]) }
        log.warning("delivery fault", metadata: ["stream": "b", "code": "connect"])
        for _ in 0..<5 { log.info("state change") }
        #expect(lines.read().count == 2 + 1 + 5)
        lines.wait(.seconds(61))
        log.info("state change")
        #expect(
            lines.read().suffix(2).first
                == #"warning: lines left out count=3 of="delivery fault stream=a code=connect""#
        )
    }

    @Test func connectionsThatAreNotAcceptedAreLimitedWhateverTheReason() throws {
        let lines = try Lines()
        let log = lines.logger()
        for number in 0..<100 { log.error("connection not accepted", metadata: ["message": "reason \(number)"]) }
        #expect(lines.read().count == 2)
    }

    @Test func aLimitedFaultThatGoesOnTellsHowOftenItWasLeftOut() throws {
        let lines = try Lines()
        let log = lines.logger()
        for _ in 0..<8 {
            log.error("commit failed")
            lines.wait(.seconds(10))
        }
        #expect(lines.read() == ["error: commit failed", "error: commit failed", "error: commit failed suppressed=4"])
    }
}
