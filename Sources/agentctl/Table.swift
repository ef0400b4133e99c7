// SPDX-License-Identifier: Apache-2.0

/// Rows under headings, as wide as they need to be. Where that is wider than the terminal, columns go, the least
/// important first.
struct Table {
    struct Column {
        let heading: String
        var isNumber = false
        /// 0 is never left out; of the others, the highest goes first.
        var expendable = 0
    }

    struct Cell {
        let text: String
        var colour: Terminal.Colour?

        init(_ text: String, _ colour: Terminal.Colour? = nil) {
            self.text = text
            self.colour = colour
        }
    }

    private static let gap = "  "
    let columns: [Column]
    /// Each as long as `columns`.
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// The heading, then a line for each row.
    func lines(_ terminal: Terminal) -> [String] {
        let widths = columns.indices.map { index in
            rows.reduce(columns[index].heading.count) { max($0, $1[index].text.count) }
        }
        let shown = visible(widths, within: terminal.width)
        let heading = columns.map { Cell($0.heading, .dim) }
        return ([heading] + rows).map { row in
            shown.map { index in
                let isLast = index == shown.last
                return padded(row[index], widths[index], isNumber: columns[index].isNumber, isLast: isLast, terminal)
            }
            .joined(separator: Self.gap)
        }
    }

    private func visible(_ widths: [Int], within width: Int) -> [Int] {
        var shown = Array(columns.indices)
        func total() -> Int { shown.reduce(-Self.gap.count) { $0 + widths[$1] + Self.gap.count } }
        while total() > width {
            guard let least = shown.max(by: { columns[$0].expendable < columns[$1].expendable }),
                columns[least].expendable > 0
            else { break }
            shown.removeAll { $0 == least }
        }
        return shown
    }

    private func padded(_ cell: Cell, _ width: Int, isNumber: Bool, isLast: Bool, _ terminal: Terminal) -> String {
        let space = String(repeating: " ", count: width - cell.text.count)
        let text = terminal.coloured(cell.text, cell.colour)
        if isNumber { return space + text }
        return isLast ? text : text + space
    }
}

/// Breaks `text` between words into lines of at most `width` characters; a longer word has a line of its own.
func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > width {
            lines.append(line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " \(word)"
    }
    return line.isEmpty ? lines : lines + [line]
}
