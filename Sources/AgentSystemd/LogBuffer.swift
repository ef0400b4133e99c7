// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Writes log lines without ever making a caller wait: a thread of its own writes what callers leave here.
///
/// Whoever reads the log may stop reading: a pipe fills up, a journal hangs. Then lines gather up to a bound, and what
/// comes after is dropped and counted; once lines flow again, the count is written in their place. Any thread.
public final class LogBuffer: Sendable {
    /// That of the process.
    public static let stderr = LogBuffer(.stderr)

    private let work: Work

    /// - Parameters:
    ///   - output: its descriptor must stay open for as long as lines are written.
    ///   - maxBytes: what may wait to be written. As much again may be with the thread that writes.
    public init(_ output: LogOutput, maxBytes: Int = 256 << 10) {
        work = Work(output, maxBytes: maxBytes)
        NativeThread.start("agentd-log") { [work] in work.run() }
    }

    deinit { work.end() }

    /// Leaves a line, its end included, to be written.
    public func append(_ line: String) { work.append(line) }

    /// Waits until all that was left here is written, but no longer than `limit`; whether it is.
    @discardableResult public func flush(within limit: Duration) -> Bool { work.flush(within: limit) }

    /// Lines dropped until now.
    public var dropped: Int { work.dropped }

    /// Whether lines are being dropped, because those before them are not read.
    public var isDropping: Bool { work.isDropping }
}

/// What callers and the thread share.
private final class Work: Sendable {
    /// The journal cuts lines at 48 KiB: journald.conf(5), LineMax=.
    private static let longestLine = 32 << 10

    private struct State {
        var lines: [String] = []
        var bytes = 0
        /// Since the last lines were taken. While there are any, no line is taken in, so that the count stands where
        /// they are missing.
        var dropped = 0
        var allDropped = 0
        /// Of the lines taken last: not said yet.
        var untold = 0
        var isWriting = false
        var isEnding = false
        var waiters: [DispatchSemaphore] = []
    }

    private let output: LogOutput
    private let maxBytes: Int
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    init(_ output: LogOutput, maxBytes: Int) {
        self.output = output
        self.maxBytes = maxBytes
    }

    var dropped: Int { state.withLock { $0.allDropped } }
    var isDropping: Bool { state.withLock { $0.dropped + $0.untold > 0 } }

    func append(_ line: String) {
        let line = Self.cut(line)
        let isFirst = state.withLock { state in
            guard state.dropped == 0, state.bytes + line.utf8.count <= maxBytes else {
                state.dropped += 1
                state.allDropped += 1
                return false
            }
            state.lines.append(line)
            state.bytes += line.utf8.count
            return state.lines.count == 1
        }
        if isFirst { wake.signal() }
    }

    func flush(within limit: Duration) -> Bool {
        let done = DispatchSemaphore(value: 0)
        let isIdle = state.withLock { state in
            if state.lines.isEmpty, !state.isWriting { return true }
            state.waiters.append(done)
            return false
        }
        if isIdle { return true }
        return done.wait(timeout: .now() + .nanoseconds(Int(limit.wholeNanoseconds))) == .success
    }

    func end() {
        state.withLock { $0.isEnding = true }
        wake.signal()
    }

    /// On the thread that writes.
    func run() {
        while true {
            wake.wait()
            while let (lines, dropped) = take() {
                for line in lines { write(line) }
                if dropped > 0 {
                    let words = dropped == 1 ? "1 log line dropped" : "\(dropped) log lines dropped"
                    write(output.line(.warning, "\(words): the log was not read in time"))
                }
            }
            if state.withLock({ $0.isEnding }) { return }
        }
    }

    /// `nil` when there is nothing to write; then those who wait for that are told.
    private func take() -> (lines: [String], dropped: Int)? {
        let (taken, waiters) = state.withLock { state -> ((lines: [String], dropped: Int)?, [DispatchSemaphore]) in
            state.untold = state.dropped
            guard state.lines.isEmpty, state.dropped == 0 else {
                defer { (state.lines, state.bytes, state.dropped, state.isWriting) = ([], 0, 0, true) }
                return ((state.lines, state.dropped), [])
            }
            state.isWriting = false
            defer { state.waiters = [] }
            return (nil, state.waiters)
        }
        for waiter in waiters { waiter.signal() }
        return taken
    }

    private func write(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let rest = UnsafeRawBufferPointer(bytes)[written...]
                let count = Glibc.write(
                    output.descriptor,
                    UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                    rest.count
                )
                if count > 0 {
                    written += count
                } else if count < 0, errno == EAGAIN {
                    var wanted = pollfd(fd: output.descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&wanted, 1, -1)
                } else if count == 0 || errno != EINTR {
                    // A log that cannot be written has nowhere to say so.
                    return
                }
            }
        }
    }

    private static func cut(_ line: String) -> String {
        guard line.utf8.count > longestLine else { return line }
        return String(decoding: line.utf8.prefix(longestLine), as: UTF8.self) + "…\n"
    }
}
