// SPDX-License-Identifier: Apache-2.0

/// Text of others on one line of ours: nothing in it ends the line, moves a cursor, or turns the order of what is
/// read.
public enum LogText {
    /// `message key=value …`, keys in order; values with blanks or quotes are quoted.
    public static func line(_ message: String, _ values: [(key: String, value: String)]) -> String {
        values.sorted { $0.key < $1.key }.reduce(into: escaped(message)) { $0 += " \($1.key)=\(quoted($1.value))" }
    }

    /// `text` with `\n`, `\r`, `\t` and `\u{…}` for what would disturb a terminal or the eye.
    public static func escaped(_ text: String) -> String {
        // Nearly all text is plain.
        if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return text }
        var result = String.UnicodeScalarView()
        append(text, to: &result, quotes: false)
        return String(result)
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes =
            value.isEmpty || value.unicodeScalars.contains { $0 == "\"" || $0 == "=" || $0 == "\\" || $0.isBlank }
        guard needsQuotes else { return escaped(value) }
        var result = String.UnicodeScalarView()
        result.append("\"")
        append(value, to: &result, quotes: true)
        result.append("\"")
        return String(result)
    }

    /// Scalar by scalar: a quotation mark with an accent is one character, and none of these.
    private static func append(_ text: String, to result: inout String.UnicodeScalarView, quotes: Bool) {
        var joins = true
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\"" where quotes, "\\" where quotes:
                result.append("\\")
                result.append(scalar)
            case _ where scalar.disturbs || (joins && scalar.joinsWhatIsBefore):
                result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default: result.append(scalar)
            }
            // What would merge with a delimiter, ours or one that the text has, is shown by its number.
            joins = !scalar.isLetterLike
        }
    }
}

extension Unicode.Scalar {
    /// Control characters (C0, DEL, C1), line and paragraph separators, and marks that turn the direction of text.
    fileprivate var disturbs: Bool {
        switch value {
        case 0..<0x20, 0x7f...0x9f: true
        case 0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069, 0xfeff: true
        default: false
        }
    }

    fileprivate var joinsWhatIsBefore: Bool {
        if value < 0x300 { return false }
        return properties.isGraphemeExtend || value == 0x200d || properties.generalCategory == .spacingMark
    }

    /// Something that a combining character may belong to.
    fileprivate var isLetterLike: Bool {
        if value < 0x80 { return properties.isAlphabetic || ("0"..."9").contains(self) }
        return !properties.isWhitespace && !disturbs
    }

    fileprivate var isBlank: Bool { properties.isWhitespace }
}
