// SPDX-License-Identifier: Apache-2.0

/// The sections of an AWS credentials or config file.
///
/// The format, as the AWS SDKs read it: `[section]`, `key = value`; `#` and `;` begin a comment, on a line of its own
/// or after white space; a line that is indented below a key belongs to that key's value, which matters to no key here.
struct ProfileFile {
    private(set) var sections: [String: [String: String]] = [:]

    /// Lines that are not understood are passed over: other programs keep their own settings in these files.
    init(_ text: String) {
        var section: String?
        var hasKey = false
        for line in text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
            let content = trimmed(line.first == "\u{feff}" ? line.dropFirst() : line)
            guard let start = content.first, start != "#", start != ";" else { continue }
            if start == "[" {
                section = Self.sectionName(content)
                hasKey = false
                if let section, sections[section] == nil { sections[section] = [:] }
                continue
            }
            if hasKey, line.first == " " || line.first == "\t" { continue }
            guard let section, let equals = content.firstIndex(of: "=") else { continue }
            let key = trimmed(content[..<equals]).lowercased()
            sections[section]?[key] = Self.withoutComment(trimmed(content[content.index(after: equals)...]))
            hasKey = true
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
