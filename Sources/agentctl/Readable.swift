// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Numbers and texts as people read them.
enum Readable {
    /// `12,345`
    static func count(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number.magnitude).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + String(text.reversed())
    }

    /// `1 event`, `2 events`
    static func count(_ number: Int, _ noun: String) -> String { "\(count(number)) \(noun)\(number == 1 ? "" : "s")" }

    /// `512 B`, `1.5 MiB`
    static func size(_ bytes: Int) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB"]
        guard bytes >= 1024 else { return "\(bytes) B" }
        var tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024
        var unit = 0
        while tenths >= 10240, unit + 1 < units.count {
            tenths /= 1024
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// The two largest units: `850ms`, `12s`, `3m 5s`, `2h 7m`, `4d 1h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds >= 1 else { return seconds > 0 ? "\(Int(seconds * 1000))ms" : "0s" }
        let whole = Int(min(seconds, 1e12))
        let parts = [(whole / 86400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "m"), (whole % 60, "s")]
        let shown = parts.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
        return shown.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }

    /// `data` on one line, without anything that a terminal would act on.
    static func line(_ data: Payload) -> String {
        guard let text = data.text else { return "(\(count(data.count, "byte")), not UTF-8; see --json)" }
        return SafeText.line(text)
    }
}
