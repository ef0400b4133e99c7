// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import AgentSystemd
internal import Glibc
internal import Logging
internal import Synchronization

/// Writes log lines for the journal. Warnings and errors that repeat are limited, with a count of those left out.
///
/// Messages are constant texts; what varies is metadata. A line's class, for the limit, is its message together with
/// its metadata `stream` and `code`: one stream's trouble does not silence another's.
struct SystemdLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level

    private let sink: LogSink

    init(level: Logger.Level, sink: LogSink) {
        self.logLevel = level
        self.sink = sink
    }

    /// The agent's logger, to stderr.
    static func logger(level: LogLevel) -> Logger {
        let sink = LogSink(output: .stderr, buffer: .stderr)
        return Logger(label: "agentd") { _ in SystemdLogHandler(level: level.loggerLevel, sink: sink) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        sink.write(
            event.level.priority,
            message: event.message.description,
            values: all.map { ($0.key, $0.value.description) },
            isLimited: event.level >= .warning
        )
    }
}

/// Where the lines of all loggers meet.
final class LogSink: Sendable {
    private let output: LogOutput
    private let buffer: LogBuffer
    private let limiter: Mutex<LogRateLimiter>
    private let now: @Sendable () -> Instant

    init(
        output: LogOutput,
        buffer: LogBuffer,
        limiter: LogRateLimiter = LogRateLimiter(),
        now: @escaping @Sendable () -> Instant = LogSink.monotonic
    ) {
        self.output = output
        self.buffer = buffer
        self.limiter = Mutex(limiter)
        self.now = now
    }

    func write(_ priority: LogPriority, message: String, values: [(key: String, value: String)], isLimited: Bool) {
        var values = values
        let now = now()
        let (verdict, settled) = limiter.withLock { limiter in
            let settled = limiter.settled(now: now)
            guard isLimited else { return (LogRateLimiter.Verdict.write(suppressed: 0), settled) }
            return (limiter.admit(Self.classOf(message, values), now: now), settled)
        }
        // A fault that ended while it was limited still has its count told, with the next line of any kind.
        for (name, count) in settled {
            leave(.warning, "lines left out", [("of", name), ("count", String(count))])
        }
        guard case .write(let suppressed) = verdict else { return }
        if suppressed > 0 { values.append(("suppressed", String(suppressed))) }
        leave(priority, message, values)
    }

    private func leave(_ priority: LogPriority, _ message: String, _ values: [(key: String, value: String)]) {
        buffer.append(output.line(priority, LogText.line(message, values)))
    }

    private static func classOf(_ message: String, _ values: [(key: String, value: String)]) -> String {
        ["stream", "code"].reduce(message) { name, key in
            values.first { $0.key == key }.map { "\(name) \(key)=\($0.value)" } ?? name
        }
    }

    static let monotonic: @Sendable () -> Instant = {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

extension Logger.Level {
    var priority: LogPriority {
        switch self {
        case .critical: .critical
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        case .info: .info
        case .debug, .trace: .debug
        }
    }
}

extension LogLevel {
    var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
