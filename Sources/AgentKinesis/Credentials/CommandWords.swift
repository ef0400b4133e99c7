// SPDX-License-Identifier: Apache-2.0

/// A command line split into its words as a POSIX shell would, and as the AWS command line does: spaces part words,
/// quotes and backslashes keep them together, and nothing is expanded.
struct CommandWords {
    private(set) var words: [String] = []

    struct Malformed: Error {
        let reason: String
    }

    init(_ line: String) throws(Malformed) {
        var word: String.UnicodeScalarView?
        var quote: Unicode.Scalar?
        var isEscaped = false
        for scalar in line.unicodeScalars {
            if isEscaped {
                isEscaped = false
                // Between double quotes a backslash stands for itself, but before these two.
                if quote != nil, scalar != "\\", scalar != "\"" { word?.append("\\") }
                word?.append(scalar)
            } else if scalar == "\\", quote != "'" {
                word = word ?? .init()
                isEscaped = true
            } else if let open = quote {
                if scalar == open { quote = nil } else { word?.append(scalar) }
            } else if scalar == "'" || scalar == "\"" {
                word = word ?? .init()
                quote = scalar
            } else if " \t\r\n".unicodeScalars.contains(scalar) {
                if let word { words.append(String(word)) }
                word = nil
            } else {
                word = word ?? .init()
                word?.append(scalar)
            }
        }
        if isEscaped { throw Malformed(reason: "nothing follows its last backslash") }
        if quote != nil { throw Malformed(reason: "a quotation mark is not closed") }
        if let word { words.append(String(word)) }
    }
}
