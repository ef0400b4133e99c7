// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CSystemd
internal import Glibc

/// Tells the service manager how the agent is: sd_notify(3). Does nothing where nobody asked to be told, that is
/// without `$NOTIFY_SOCKET`. Any thread; sends one datagram, and does not wait for anybody to read it.
public struct Notifier: Sendable {
    public enum Outcome: Sendable, Equatable {
        case sent
        /// There is no service manager that wants to know.
        case notWanted
        /// `errno` of the attempt. Of ``Notifier/ready()`` it means that the service manager will give up waiting.
        case failed(Int32)
    }

    public init() {}

    /// The agent serves. Ends a start as well as a reload.
    @discardableResult public func ready() -> Outcome { send(["READY=1"]) }

    @discardableResult public func stopping() -> Outcome { send(["STOPPING=1"]) }

    /// Settings are being read again. `Type=notify-reload` wants the time of that, so that an earlier
    /// ``ready()`` is not taken for the end of it.
    @discardableResult public func reloading() -> Outcome {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
        return send(["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"])
    }

    /// One line for `systemctl status`; line ends become spaces.
    @discardableResult public func status(_ text: String) -> Outcome { send(["STATUS=\(text)"]) }

    /// The agent is alive; due within each ``watchdogInterval``.
    @discardableResult public func watchdog() -> Outcome { send(["WATCHDOG=1"]) }

    /// Stopping or starting goes on, and may take this much longer from now.
    @discardableResult public func extendTimeout(_ time: Duration) -> Outcome {
        send(["EXTEND_TIMEOUT_USEC=\(max(0, time.wholeNanoseconds / 1000))"])
    }

    /// How long the service manager waits for ``watchdog()`` before it restarts the agent; `nil` where it does not.
    /// Beat at least twice as often.
    public var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    private func send(_ fields: [String]) -> Outcome {
        let lines = fields.map { field in
            String(String.UnicodeScalarView(field.unicodeScalars.map { $0 == "\n" || $0 == "\r" ? " " : $0 }))
        }
        return switch sd_notify(0, lines.joined(separator: "\n")) {
        case 0: .notWanted
        case let result where result > 0: .sent
        case let result: .failed(-result)
        }
    }
}
