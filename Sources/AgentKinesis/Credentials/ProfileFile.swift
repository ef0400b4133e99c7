// SPDX-License-Identifier: Apache-2.0

/// The sections of an AWS credentials or config file, as the AWS command line reads them.
///
/// `[section]`; `key = value` or `key: value`, the key in any case; a line that begins with `#` or `;` is a comment. A
/// line that is indented deeper than the key above it belongs to that key's value, as `s3 =` with its own settings
/// below; so all keys of a section may be indented alike. Keys of `[DEFAULT]` hold in every section.
///
/// Where the command line refuses a whole file (a line that is neither, a section or a key twice, a byte order mark),
/// the other SDKs go on, and so does this: the rest counts, and of keys the last. Like them, it takes ` #` and ` ;`
/// behind a value for a comment.
struct ProfileFile {
    private(set) var sections: [String: [String: String]] = [:]

    private static let defaults = "DEFAULT"

    init(_ text: String) {
        var reader = Reader()
        for line in text.unicodeScalars.split(
            omittingEmptySubsequences: true,
            whereSeparator: { $0 == "\n" || $0 == "\r" }
        ) {
            reader.read(line.first == "\u{feff}" ? line.dropFirst() : line)
        }
        let common = reader.sections.removeValue(forKey: Self.defaults) ?? [:]
        sections = reader.sections.mapValues { values in
            values.merging(common) { own, _ in own }.mapValues(Self.withoutComment)
        }
    }

    private struct Reader {
        var sections: [String: [String: String]] = [:]
        private var section: String?
        private var key: String?
        /// How far the last line that was not continued is indented.
        private var indentation = 0

        mutating func read(_ line: Substring.UnicodeScalarView) {
            let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
            let content = line.drop(while: isSpace)
            guard let first = content.first, first != "#", first != ";" else { return }
            let indentation = line.count - content.count
            let text = trimmed(Substring(content))
            if let section, let key, indentation > self.indentation {
                sections[section]?[key]? += "\n" + text
                return
            }
            self.indentation = indentation
            key = nil
            if first == "[" {
                section = ProfileFile.sectionName(text)
                if let section, sections[section] == nil { sections[section] = [:] }
                return
            }
            guard let section, let delimiter = text.firstIndex(where: { $0 == "=" || $0 == ":" }) else { return }
            let name = trimmed(text[..<delimiter]).lowercased()
            guard !name.isEmpty else { return }
            sections[section]?[name] = trimmed(text[text.index(after: delimiter)...])
            key = name
        }
    }

    /// `a b` of `[ "a b" ] # comment`, with single spaces and without quotes; `nil` without a closing bracket.
    private static func sectionName(_ line: String) -> String? {
        guard let end = line.firstIndex(of: "]") else { return nil }
        let words = line[line.index(after: line.startIndex)..<end].split { $0 == " " || $0 == "\t" }
        return words.joined(separator: " ").filter { $0 != "\"" && $0 != "'" }
    }

    private static func withoutComment(_ value: String) -> String {
        var previous: Character = "="
        for i in value.indices {
            if value[i] == "#" || value[i] == ";", previous == " " || previous == "\t" { return trimmed(value[..<i]) }
            previous = value[i]
        }
        return value
    }
}
