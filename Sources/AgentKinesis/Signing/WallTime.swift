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

    /// Reads a date and time as of RFC 3339, such as `2026-11-22T06:46:19.5Z` or `2026-11-22T07:46:19+01:00`, to the second.
    init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        let shape = Array("0000-00-00T00:00:00".utf8)
        guard bytes.count > shape.count else { return nil }
        func number(_ range: Range<Int>) -> Int32 { bytes[range].reduce(0) { $0 * 10 + Int32($1 - 0x30) } }
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        for (byte, wanted) in zip(bytes, shape) {
            guard wanted == UInt8(ascii: "0") ? isDigit(byte) : byte & ~0x20 == wanted & ~0x20 else { return nil }
        }
        var rest = bytes[shape.count...]
        if rest.first == UInt8(ascii: ".") { rest = rest.dropFirst().drop(while: isDigit) }
        var offset: Int32 = 0
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") {
            let at = rest.startIndex
            guard rest.count == 6, rest[at + 3] == UInt8(ascii: ":"),
                [at + 1, at + 2, at + 4, at + 5].allSatisfy({ isDigit(bytes[$0]) })
            else { return nil }
            offset = number(at + 1..<at + 3) * 3600 + number(at + 4..<at + 6) * 60
            if rest.first == UInt8(ascii: "-") { offset = -offset }
        } else if rest.count != 1 || rest.first.map({ $0 | 0x20 }) != UInt8(ascii: "z") {
            return nil
        }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (number(0..<4) - 1900, number(5..<7) - 1, number(8..<10))
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (number(11..<13), number(14..<16), number(17..<19))
        guard (0..<12).contains(parts.tm_mon), (1...31).contains(parts.tm_mday), parts.tm_hour < 24, parts.tm_min < 60,
            parts.tm_sec <= 60
        else { return nil }
        self.init(seconds: Int64(timegm(&parts)) - Int64(offset))
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
