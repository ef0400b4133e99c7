// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CSystemd
internal import Glibc

/// Tells the service manager how the agent is: sd_notify(3). Does nothing where nobody asked to be told, that is
/// without `$NOTIFY_SOCKET`. Any thread; sends one datagram, and never waits for anybody to read it.
// Not by sd_notify() itself, whose socket blocks: a service manager that hangs would take the agent with it.
public struct Notifier: Sendable {
    public enum Outcome: Sendable, Equatable {
        case sent
        /// There is no service manager that wants to know.
        case notWanted
        /// `errno` of the attempt; `EAGAIN` where messages that nobody reads are in the way: try again.
        case failed(Int32)
    }

    private let path: String

    /// Looks into the environment.
    public init() { path = getenv("NOTIFY_SOCKET").map { String(cString: $0) } ?? "" }

    /// Whether there is a service manager that wants to know.
    public var isWanted: Bool { !path.isEmpty }

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
        if path.isEmpty { return .notWanted }
        guard let (address, length) = Self.address(path) else { return .failed(EINVAL) }
        let lines = fields.map { field in
            String(String.UnicodeScalarView(field.unicodeScalars.map { $0 == "\n" || $0 == "\r" ? " " : $0 }))
        }
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return .failed(errno) }
        defer { close(descriptor) }
        let message = Array(lines.joined(separator: "\n").utf8)
        let sent = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
        return sent < 0 ? .failed(errno) : .sent
    }

    /// A path, or with `@` for its first character an abstract name.
    private static func address(_ path: String) -> (sockaddr_un, socklen_t)? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard let first = bytes.first, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        let isAbstract = first == UInt8(ascii: "@")
        guard isAbstract || first == UInt8(ascii: "/") else { return nil }
        if isAbstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name is as long as the address says; a path ends with a zero.
        let room = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        return (address, socklen_t(room + bytes.count + (isAbstract ? 0 : 1)))
    }
}
