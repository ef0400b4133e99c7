// SPDX-License-Identifier: Apache-2.0

/// One key of the file: what may be written for it, what that means, and which property it sets.
struct SettingKey<Root: Sendable>: Sendable {
    /// With its section, as `queue.max_bytes`; a stream's keys without.
    let name: String
    /// What may be written: "a size from 1 MiB to 16 TiB".
    let form: String
    /// What it does, in whole sentences.
    let about: String
    /// What can be lost, or get worse, by moving it.
    let risk: String
    /// Checks a value and sets the property.
    let read: @Sendable (SettingValue, inout Root) throws(SettingRefusal) -> Void
    /// The property's value as the file would have it.
    let write: @Sendable (Root) -> String
    /// Whether a value must be given.
    var required = false
}

/// Why a value is not one that a key can have; completes the sentence "queue.max_bytes …".
struct SettingRefusal: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    static func wrongType(_ value: SettingValue, wanted: String) -> SettingRefusal {
        SettingRefusal("must be \(wanted), not \(value.typeName)")
    }

    /// - Parameter given: is repeated where it is short and plain, which no secret is that strayed into the file.
    static func wrong(_ given: String, wanted: String, meant: String? = nil) -> SettingRefusal {
        let isShown = (1...24).contains(given.utf8.count) && given.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        let hint = meant.map { "; did you mean \"\($0)\"?" } ?? ""
        return SettingRefusal("must be \(wanted)" + (isShown ? ", not \"\(given)\"" : "") + hint)
    }
}

extension SettingKey {
    typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

    /// A number of bytes.
    static func size(_ name: String, _ path: any Path<Int>, _ range: ClosedRange<Int>, about: String, risk: String)
        -> Self
    {
        let span = "\(SettingUnits.text(size: range.lowerBound)) to \(SettingUnits.text(size: range.upperBound))"
        return SettingKey(
            name: name,
            form: "a size from \(span)",
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
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
                root[keyPath: path] = bytes
            },
            write: { "\"\(SettingUnits.text(size: $0[keyPath: path]))\"" }
        )
    }

    static func duration(
        _ name: String,
        _ path: any Path<Duration>,
        _ range: ClosedRange<Duration>,
        about: String,
        risk: String
    ) -> Self {
        let span =
            "\(SettingUnits.text(duration: range.lowerBound)) to \(SettingUnits.text(duration: range.upperBound))"
        return SettingKey(
            name: name,
            form: "a duration from \(span)",
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
                let wanted = "a duration such as \"50ms\" (ms, s, m, h, d)"
                guard case .text(let text) = value else { throw .wrongType(value, wanted: wanted) }
                guard let duration = SettingUnits.duration(text) else {
                    throw .wrong(text, wanted: wanted, meant: SettingUnits.meantDuration(text))
                }
                guard range.contains(duration) else {
                    throw SettingRefusal("must be \(span), not \(SettingUnits.text(duration: duration))")
                }
                root[keyPath: path] = duration
            },
            write: { "\"\(SettingUnits.text(duration: $0[keyPath: path]))\"" }
        )
    }

    static func count(_ name: String, _ path: any Path<Int>, _ range: ClosedRange<Int>, about: String, risk: String)
        -> Self
    {
        let span = "\(range.lowerBound) to \(range.upperBound)"
        return SettingKey(
            name: name,
            form: "a whole number from \(span)",
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
                guard case .integer(let number) = value else { throw .wrongType(value, wanted: "a whole number") }
                guard range.contains(number) else { throw SettingRefusal("must be \(span), not \(number)") }
                root[keyPath: path] = number
            },
            write: { String($0[keyPath: path]) }
        )
    }

    /// One of a few words; `later` are words that will be valid one day.
    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ path: any Path<Value>,
        later: [String] = [],
        about: String,
        risk: String
    ) -> Self {
        let words = oneOf(Value.allCases.map { "\"\($0.rawValue)\"" })
        return SettingKey(
            name: name,
            form: words,
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
                guard case .text(let text) = value else { throw .wrongType(value, wanted: words) }
                if later.contains(text) {
                    throw SettingRefusal("= \"\(text)\" is not available yet; it can be \(words)")
                }
                guard let word = Value(rawValue: text) else { throw .wrong(text, wanted: words) }
                root[keyPath: path] = word
            },
            write: { "\"\($0[keyPath: path].rawValue)\"" }
        )
    }

    /// A text that `parse` understands. `parse` returns `nil` where it does not, and `wanted` then says what it would.
    static func text<Value: Sendable>(
        _ name: String,
        _ path: any Path<Value>,
        _ wanted: String,
        parse: @escaping @Sendable (String) -> Value?,
        print: @escaping @Sendable (Value) -> String,
        about: String,
        risk: String
    ) -> Self {
        SettingKey(
            name: name,
            form: wanted,
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
                guard case .text(let text) = value else { throw .wrongType(value, wanted: "text (\(wanted))") }
                guard let parsed = parse(text) else { throw SettingRefusal("must be \(wanted)") }
                root[keyPath: path] = parsed
            },
            write: { "\"\(print($0[keyPath: path]))\"" }
        )
    }

    static func text(
        _ name: String,
        _ path: any Path<String>,
        _ wanted: String,
        parse: @escaping @Sendable (String) -> String?,
        about: String,
        risk: String
    ) -> Self {
        text(name, path, wanted, parse: parse, print: { $0 }, about: about, risk: risk)
    }

    /// Several texts that `parse` understands.
    static func list(
        _ name: String,
        _ path: any Path<[String]>,
        _ wanted: String,
        parse: @escaping @Sendable (String) -> String?,
        about: String,
        risk: String
    ) -> Self {
        SettingKey(
            name: name,
            form: "a list of \(wanted)",
            about: about,
            risk: risk,
            read: { value, root throws(SettingRefusal) in
                guard case .list(let values) = value else { throw .wrongType(value, wanted: "a list of \(wanted)") }
                var parsed: [String] = []
                for value in values {
                    guard case .text(let text) = value, let item = parse(text) else {
                        throw SettingRefusal("must be a list of \(wanted)")
                    }
                    parsed.append(item)
                }
                root[keyPath: path] = parsed
            },
            write: { "[" + $0[keyPath: path].map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
        )
    }
}

/// "a", "a or b", "a, b or c".
private func oneOf(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}
