// SPDX-License-Identifier: Apache-2.0

/// The likeliest fault of a configuration file: `region = eu-central-1`.
enum MissingQuotes {
    /// What to write in the line of a text that the parser stumbled over; `nil` where quotes are not what is missing.
    ///
    /// The value is repeated only for keys that exist: what strayed into the file may be a secret.
    static func found(inLine number: Int, of text: String) -> String? {
        let lines = text.split(separator: "\n", maxSplits: number, omittingEmptySubsequences: false)
        guard lines.indices.contains(number - 1) else { return nil }
        let parts = lines[number - 1].split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let key = trimmed(parts[0])
        let value = trimmed(parts[1].prefix { $0 != "#" })
        guard !value.isEmpty, isPlain(key), value.unicodeScalars.allSatisfy({ isBare($0) || $0 == " " }),
            !["true", "false", "inf", "nan"].contains(value), Int(value) == nil, Double(value) == nil
        else { return nil }
        let isKnown =
            SettingsSection.keys.contains { $0 == key || $0.hasSuffix(".\(key)") } || StreamKeys.list[key] != nil
        let line = isKnown && value.utf8.count <= 64 ? ": \(key) = \"\(value)\"" : ""
        return "text is written in quotes\(line)"
    }

    private static func isPlain(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= 64
            && key.unicodeScalars.allSatisfy { isLetter($0) || "0123456789_-.".unicodeScalars.contains($0) }
    }

    private static func isBare(_ scalar: Unicode.Scalar) -> Bool {
        isLetter(scalar) || "0123456789_-./:@+".unicodeScalars.contains(scalar)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.properties.isAlphabetic
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.unicodeScalars.first, first.properties.isWhitespace { text = text.dropFirst() }
        while let last = text.unicodeScalars.last, last.properties.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
