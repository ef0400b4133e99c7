// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Numbers as people read them.
enum Text {
    static func system(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// `12.30`: as many digits after the point as asked for.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "?" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        let (whole, rest) = Int(scaled).quotientAndRemainder(dividingBy: Int(scale))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(whole) }
        let fraction = String(rest)
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// `12 345 678`
    static func grouped(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "?" }
        var text = ""
        for (index, digit) in String(Int(abs(value).rounded())).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(" ") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }

    static func grouped(_ value: Int) -> String { grouped(Double(value)) }

    static func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / Double(1 << 20), 1) }

    /// In the unit that leaves one to three digits before the point.
    static func duration(nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds)
        return switch nanoseconds {
        case ..<1_000_000: "\(fixed(value / 1e3, 0)) µs"
        case ..<10_000_000: "\(fixed(value / 1e6, 2)) ms"
        case ..<1_000_000_000: "\(fixed(value / 1e6, 1)) ms"
        default: "\(fixed(value / 1e9, 2)) s"
        }
    }

    static func padded(_ text: String, _ width: Int, toLeft: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return toLeft ? text + space : space + text
    }
}
