// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// A moment of civil time: milliseconds since 1970-01-01T00:00:00Z. Only for what the service sees or sets, such as
/// signatures and expirations: the clock behind it may be wrong, and may jump.
public struct WallTime: Hashable, Comparable, Sendable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public init(seconds: Int64) { milliseconds = seconds * 1000 }

    public static func < (a: WallTime, b: WallTime) -> Bool { a.milliseconds < b.milliseconds }

    /// What this machine's clock says.
    public static func now() -> WallTime {
        WallTime(milliseconds: read(CLOCK_REALTIME) / 1_000_000)
    }

    /// `20261122T064619Z`, as signatures have it.
    var basicISO8601: String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: Int32, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        return digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2) + "T"
            + digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2) + "Z"
    }
}

extension Instant {
    /// Time since boot, counting the time that the machine was suspended.
    static func sinceBoot() -> Instant { Instant(nanoseconds: read(CLOCK_BOOTTIME)) }
}

private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
