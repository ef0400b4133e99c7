// SPDX-License-Identifier: Apache-2.0

/// What others wrote, made safe to be shown.
///
/// Names, keys, payloads and the messages of servers may hold anything. Raw, some characters are orders to a terminal
/// (ESC and the C1 controls), forge a line of a log (line ends of every kind), or turn around what is read (bidirectional
/// marks). All of these are written as escapes instead: the Unicode categories Cc, Cf, Zl and Zp.
public enum SafeText {
    /// `text` on one line, each such character as `\n`, `\r`, `\t` or `\u{1b}`. For people: it cannot be turned back.
    ///
    /// - Parameter limit: how many characters (Unicode scalars) of `text` are shown, at least 1; an ellipsis stands for
    ///   the others.
    public static func line(_ text: some StringProtocol, limit: Int = .max) -> String {
        if text.utf8.count <= limit, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return String(text) }
        var line = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += 1
            if count > limit {
                line.append("…")
                break
            }
            guard isDangerous(scalar) else {
                line.append(scalar)
                continue
            }
            switch scalar {
            case "\n": line.append(contentsOf: "\\n".unicodeScalars)
            case "\r": line.append(contentsOf: "\\r".unicodeScalars)
            case "\t": line.append(contentsOf: "\\t".unicodeScalars)
            default: line.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(line)
    }

    /// Well-formed JSON with the same value, in which each such character of a string is an escape. Line ends and
    /// spaces between the values stay.
    public static func json(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: needsEscape) else { return text }
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard needsEscape(scalar) else {
                safe.append(scalar)
                continue
            }
            for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                let digits = String(unit, radix: 16)
                safe.append(contentsOf: "\\u".unicodeScalars)
                for _ in digits.count..<4 { safe.append("0") }
                safe.append(contentsOf: digits.unicodeScalars)
            }
        }
        return String(safe)
    }

    /// JSON has no raw control character below U+0020 but between its values.
    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= 0x7f && isDangerous(scalar) }

    private static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
