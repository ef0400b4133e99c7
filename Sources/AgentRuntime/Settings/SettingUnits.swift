// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// How sizes and durations are written: `"64 KiB"`, `"50ms"`.
enum SettingUnits {
    private static let sizes: [(unit: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]
    private static let durations: [(unit: String, milliseconds: Int)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Bytes; digits alone are bytes too.
    static func size(_ text: String) -> Int? {
        guard let (number, unit) = split(text) else { return nil }
        if unit.isEmpty { return number }
        return sizes.first { $0.unit == unit }.flatMap { product(number, $0.bytes) }
    }

    static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = split(text) else { return nil }
        return durations.first { $0.unit == unit }
            .flatMap { product(number, $0.milliseconds) }
            .map { .milliseconds($0) }
    }

    /// What somebody meant by "4 GB", "512k" or "1 gib"; `nil` where that is no guess.
    static func meantSize(_ text: String) -> String? {
        guard let (number, unit) = split(text), !sizes.contains(where: { $0.unit == unit }) else { return nil }
        let letters = unit.lowercased()
        return sizes.first { known in
            let full = known.unit.lowercased()
            return letters == full || letters == full.prefix(1) || letters == "\(full.prefix(1))b"
                || letters == "bytes" && full == "b"
        }.map { "\(number) \($0.unit)" }
    }

    /// What somebody meant by "5 seconds" or "10min".
    static func meantDuration(_ text: String) -> String? {
        guard let (number, unit) = split(text), !durations.contains(where: { $0.unit == unit }) else { return nil }
        let letters = unit.lowercased()
        let words = [
            "d": ["d", "day", "days"], "h": ["h", "hr", "hrs", "hour", "hours"],
            "m": ["m", "min", "mins", "minute", "minutes"], "s": ["s", "", "sec", "secs", "second", "seconds"],
            "ms": ["ms", "msec", "msecs", "millisecond", "milliseconds"],
        ]
        return words.first { $0.value.contains(letters) }.map { "\(number)\($0.key)" }
    }

    /// The shortest spelling that loses nothing.
    static func text(size: Int) -> String {
        guard size > 0, let unit = sizes.first(where: { size % $0.bytes == 0 }) else { return String(size) }
        return "\(size / unit.bytes) \(unit.unit)"
    }

    static func text(duration: Duration) -> String {
        let milliseconds = Int(duration.wholeMilliseconds)
        guard milliseconds > 0, let unit = durations.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0s"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.unit)"
    }

    private static func split(_ text: String) -> (number: Int, unit: String)? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = Int(digits) else { return nil }
        let rest = text.dropFirst(digits.count)
        return (number, String(rest.first == " " ? rest.dropFirst() : rest))
    }

    private static func product(_ a: Int, _ b: Int) -> Int? {
        let (value, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : value
    }
}
