// SPDX-License-Identifier: Apache-2.0

// What a setting may be.

extension Setting where Value == Int {
    /// A number of bytes.
    static func size(
        _ name: String,
        default: Int,
        in range: ClosedRange<Int>,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        let span = "\(SettingUnits.text(size: range.lowerBound)) to \(SettingUnits.text(size: range.upperBound))"
        return Setting(
            name: name,
            default: `default`,
            form: "a size from \(span)",
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                let bytes: Int
                switch value {
                case .integer(let number): bytes = number
                case .text(let text):
                    guard let size = SettingUnits.size(text) else {
                        throw .wrong(
                            text,
                            wanted: "a size such as \"64 KiB\" (B, KiB, MiB, GiB)",
                            meant: SettingUnits.meantSize(text)
                        )
                    }
                    bytes = size
                default: throw .wrongType(value, wanted: "a size such as \"64 KiB\"")
                }
                guard range.contains(bytes) else {
                    throw SettingRefusal("must be \(span), not \(SettingUnits.text(size: bytes))")
                }
                return bytes
            },
            print: { "\"\(SettingUnits.text(size: $0))\"" }
        )
    }

    static func count(
        _ name: String,
        default: Int,
        in range: ClosedRange<Int>,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        let span = "\(range.lowerBound) to \(range.upperBound)"
        return Setting(
            name: name,
            default: `default`,
            form: "a whole number from \(span)",
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                guard case .integer(let number) = value else { throw .wrongType(value, wanted: "a whole number") }
                guard range.contains(number) else { throw SettingRefusal("must be \(span), not \(number)") }
                return number
            },
            print: { String($0) }
        )
    }
}

extension Setting where Value == Duration {
    static func duration(
        _ name: String,
        default: Duration,
        in range: ClosedRange<Duration>,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        let span =
            "\(SettingUnits.text(duration: range.lowerBound)) to \(SettingUnits.text(duration: range.upperBound))"
        return Setting(
            name: name,
            default: `default`,
            form: "a duration from \(span)",
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                let wanted = "a duration such as \"50ms\" (ms, s, m, h, d)"
                guard case .text(let text) = value else { throw .wrongType(value, wanted: wanted) }
                guard let duration = SettingUnits.duration(text) else {
                    throw .wrong(text, wanted: wanted, meant: SettingUnits.meantDuration(text))
                }
                guard range.contains(duration) else {
                    throw SettingRefusal("must be \(span), not \(SettingUnits.text(duration: duration))")
                }
                return duration
            },
            print: { "\"\(SettingUnits.text(duration: $0))\"" }
        )
    }
}

extension Setting where Value: RawRepresentable<String> & CaseIterable {
    /// One of a few words; `later` are words that will be valid one day.
    static func choice(
        _ name: String,
        default: Value,
        later: [String] = [],
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        let words = oneOf(Value.allCases.map { "\"\($0.rawValue)\"" })
        return Setting(
            name: name,
            default: `default`,
            form: words,
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                guard case .text(let text) = value else { throw .wrongType(value, wanted: words) }
                if later.contains(text) {
                    throw SettingRefusal("= \"\(text)\" is not available yet; it can be \(words)")
                }
                guard let word = Value(rawValue: text) else { throw .wrong(text, wanted: words) }
                return word
            },
            print: { "\"\($0.rawValue)\"" }
        )
    }
}

extension Setting {
    /// A text that `parse` understands. `parse` returns `nil` where it does not, and `wanted` then says what it would.
    static func text(
        _ name: String,
        default: Value,
        _ wanted: String,
        isRequired: Bool = false,
        parse: @escaping @Sendable (String) -> Value?,
        print: @escaping @Sendable (Value) -> String,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        Setting(
            name: name,
            default: `default`,
            form: wanted,
            isRequired: isRequired,
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                guard case .text(let text) = value else { throw .wrongType(value, wanted: "text (\(wanted))") }
                guard let parsed = parse(text) else { throw SettingRefusal("must be \(wanted)") }
                return parsed
            },
            print: { "\"\(print($0))\"" }
        )
    }
}

extension Setting where Value == String {
    static func text(
        _ name: String,
        default: String,
        _ wanted: String,
        isRequired: Bool = false,
        parse: @escaping @Sendable (String) -> String?,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        text(
            name,
            default: `default`,
            wanted,
            isRequired: isRequired,
            parse: parse,
            print: { $0 },
            needsRestart: needsRestart,
            about: about,
            risk: risk
        )
    }
}

extension Setting where Value == [String] {
    /// Several texts that `parse` understands.
    static func list(
        _ name: String,
        default: [String],
        _ wanted: String,
        parse: @escaping @Sendable (String) -> String?,
        needsRestart: Bool,
        about: String,
        risk: String
    ) -> Self {
        Setting(
            name: name,
            default: `default`,
            form: "a list of \(wanted)",
            needsRestart: needsRestart,
            about: about,
            risk: risk,
            parse: { value throws(SettingRefusal) in
                guard case .list(let values) = value else { throw .wrongType(value, wanted: "a list of \(wanted)") }
                var parsed: [String] = []
                for value in values {
                    guard case .text(let text) = value, let item = parse(text) else {
                        throw SettingRefusal("must be a list of \(wanted)")
                    }
                    parsed.append(item)
                }
                return parsed
            },
            print: { "[" + $0.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
        )
    }
}

/// "a", "a or b", "a, b or c".
private func oneOf(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}
