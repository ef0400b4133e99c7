// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc

struct Column {
    let heading: String
    let width: Int
    let toLeft: Bool

    init(_ heading: String, _ width: Int, toLeft: Bool = false) {
        self.heading = heading
        self.width = width
        self.toLeft = toLeft
    }
}

/// Prints each report as soon as there is one: rows under headings, or an object of JSON a line.
struct Printer {
    let asJSON: Bool

    func headings(_ columns: [Column]) {
        if !asJSON { row(columns.map(\.heading), columns) }
    }

    func report(_ report: some Encodable, _ cells: [String], _ columns: [Column]) throws {
        guard asJSON else { return row(cells, columns) }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
        fflush(nil)
    }

    /// Words about what is under way; not data.
    static func say(_ words: String) {
        let line = Array("\(words)\n".utf8)
        // Where nobody reads them, words are no loss.
        _ = write(STDERR_FILENO, line, line.count)
    }

    private func row(_ cells: [String], _ columns: [Column]) {
        let line = zip(cells, columns).map { Text.padded($0, $1.width, toLeft: $1.toLeft) }.joined(separator: " ")
        print(line)
        fflush(nil)
    }
}
