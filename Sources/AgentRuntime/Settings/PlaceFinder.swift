// SPDX-License-Identifier: Apache-2.0

/// Finds where the keys of a TOML text stand, which its parser does not tell.
///
/// It needs to know where keys and values end, and not what is wrong; on anything unexpected it moves on by a character.
/// Of text that the parser does not accept, it finds the places up to what is wrong.
struct PlaceFinder {
    /// No key that there is has more than three.
    static let mostLevels = 32

    /// Where the text nests deeper than that; nothing was looked at after it.
    private(set) var tooDeep: SettingPlace?
    /// Where a table's header has no name.
    private(set) var nameless: SettingPlace?
    /// Where a string has a zero byte by its number.
    private(set) var zero: SettingPlace?
    private let text: [Unicode.Scalar]
    private var at = 0
    private var line = 1
    private var lineStart = 0
    private var places: [String: SettingPlace] = [:]
    private var arrayCounts: [String: Int] = [:]

    init(_ text: String) {
        let scalars = Array(text.unicodeScalars)
        self.text = scalars.first == "\u{feff}" ? Array(scalars.dropFirst()) : scalars
    }

    /// The place of each table, array element and key, by its path; of one that is named several times, the first.
    mutating func find() -> [String: SettingPlace] {
        var table = ""
        while let scalar = skipToContent() {
            if scalar == "[" {
                table = header()
            } else {
                keyValue(under: table, level: 0)
            }
        }
        return places
    }

    /// `[a.b]` or `[[a.b]]`; returns the path of the table that it opens.
    private mutating func header() -> String {
        let place = here
        let isArray = peek(1) == "["
        advance(isArray ? 2 : 1)
        let names = keyNames(level: 0)
        if names.isEmpty, nameless == nil { nameless = place }
        while let scalar = peek(), scalar == "]" || scalar == " " || scalar == "\t" { advance() }
        var path = ""
        for (index, name) in names.enumerated() {
            path = Self.joined(path, name)
            if index == names.count - 1, isArray { arrayCounts[path, default: 0] += 1 }
            note(path, place)
            if let count = arrayCounts[path] {
                path += "[\(count - 1)]"
                note(path, place)
            }
        }
        return path
    }

    private mutating func keyValue(under table: String, level: Int) {
        let place = here
        let names = keyNames(level: level)
        var path = table
        for name in names {
            path = Self.joined(path, name)
            note(path, place)
        }
        guard peek() == "=", !names.isEmpty else {
            advance()
            return
        }
        advance()
        skipBlanks()
        value(path, level: level + names.count)
    }

    private mutating func value(_ path: String, level: Int) {
        if level > Self.mostLevels { return stop() }
        switch peek() {
        case "\"", "'": _ = string()
        case "[":
            advance()
            var index = 0
            while let scalar = skipToContent(), scalar != "]" {
                if scalar == "," {
                    advance()
                    index += 1
                } else {
                    note("\(path)[\(index)]", here)
                    value("\(path)[\(index)]", level: level + 1)
                }
            }
            advance()
        case "{":
            advance()
            while let scalar = skipToContent(), scalar != "}" {
                if scalar == "," { advance() } else { keyValue(under: path, level: level) }
            }
            advance()
        default:
            let start = at
            while let scalar = peek(), !",]}#\n".unicodeScalars.contains(scalar) { advance() }
            if at == start { advance() }
        }
    }

    /// `a . "b"`, up to what follows it.
    private mutating func keyNames(level: Int) -> [String] {
        var names: [String] = []
        skipBlanks()
        while let scalar = peek() {
            if scalar == "\"" || scalar == "'" {
                names.append(string())
            } else {
                var name = String.UnicodeScalarView()
                while let scalar = peek(), Self.isBare(scalar) {
                    name.append(scalar)
                    advance()
                }
                if name.isEmpty { break }
                names.append(String(name))
            }
            if level + names.count > Self.mostLevels {
                stop()
                return []
            }
            skipBlanks()
            guard peek() == "." else { break }
            advance()
            skipBlanks()
        }
        return names
    }

    /// A string of any of the four kinds; returns its content.
    private mutating func string() -> String {
        guard let quote = peek() else { return "" }
        let isLong = peek(1) == quote && peek(2) == quote
        advance(isLong ? 3 : 1)
        var content = String.UnicodeScalarView()
        while let scalar = peek() {
            if scalar == quote, !isLong || (peek(1) == quote && peek(2) == quote && peek(3) != quote) { break }
            if scalar == "\\", quote == "\"" {
                content.append(escape())
            } else {
                content.append(scalar)
                advance()
            }
        }
        advance(isLong ? 3 : 1)
        return String(content)
    }

    /// A backslash and what it stands for.
    private mutating func escape() -> Unicode.Scalar {
        let kinds: [Unicode.Scalar: Unicode.Scalar] = ["b": "\u{8}", "t": "\t", "n": "\n", "f": "\u{c}", "r": "\r"]
        guard let kind = peek(1) else {
            advance()
            return "\\"
        }
        let place = here
        advance(2)
        guard kind == "u" || kind == "U" else { return kinds[kind] ?? kind }
        let digits = (0..<(kind == "u" ? 4 : 8)).compactMap { peek($0) }
        guard let number = UInt32(String(String.UnicodeScalarView(digits)), radix: 16) else { return kind }
        advance(digits.count)
        if number == 0, zero == nil { zero = place }
        return Unicode.Scalar(number) ?? "\u{fffd}"
    }

    /// Looks at nothing more.
    private mutating func stop() {
        if tooDeep == nil { tooDeep = here }
        at = text.count
    }

    // MARK: Characters

    private var here: SettingPlace { SettingPlace(line: line, column: at - lineStart + 1) }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        at + offset < text.count ? text[at + offset] : nil
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where at < text.count {
            at += 1
            if text[at - 1] == "\n" {
                line += 1
                lineStart = at
            }
        }
    }

    private mutating func skipBlanks() {
        while let scalar = peek(), scalar == " " || scalar == "\t" { advance() }
    }

    /// Skips blanks, line ends and comments.
    private mutating func skipToContent() -> Unicode.Scalar? {
        while let scalar = peek() {
            switch scalar {
            case " ", "\t", "\r", "\n": advance()
            case "#":
                while let scalar = peek(), scalar != "\n" { advance() }
            default: return scalar
            }
        }
        return nil
    }

    private mutating func note(_ path: String, _ place: SettingPlace) {
        if places[path] == nil { places[path] = place }
    }

    private static func isBare(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }

    private static func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
