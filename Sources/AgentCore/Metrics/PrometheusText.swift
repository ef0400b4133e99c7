// SPDX-License-Identifier: Apache-2.0

/// The text format of Prometheus, version 0.0.4.
public enum PrometheusText {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// - Parameter families: of different names.
    public static func text(of families: [MetricFamily]) -> [UInt8] {
        var text = ""
        for family in families where !family.samples.isEmpty {
            text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
            for sample in family.samples { append(sample, of: family.name, to: &text) }
        }
        return Array(text.utf8)
    }

    private static func append(_ sample: MetricFamily.Sample, of name: String, to text: inout String) {
        switch sample.value {
        case .number(let number): line(name, sample.labels, number, to: &text)
        case .histogram(let reading):
            var count: Int64 = 0
            for (bucket, values) in reading.counts.enumerated() {
                count += values
                let bound = bucket < reading.bounds.count ? self.number(reading.bounds[bucket]) : "+Inf"
                line(name + "_bucket", sample.labels + [MetricLabel("le", bound)], Double(count), to: &text)
            }
            line(name + "_sum", sample.labels, reading.sum, to: &text)
            line(name + "_count", sample.labels, Double(count), to: &text)
        }
    }

    private static func line(_ name: String, _ labels: [MetricLabel], _ value: Double, to text: inout String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += label.name
                text += "=\""
                text += escaped(label.value, quotes: true)
                text += "\""
            }
            text += "}"
        }
        text += " "
        text += number(value)
        text += "\n"
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value.description
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        // Nearly no text has any of them.
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
