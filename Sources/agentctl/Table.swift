// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Rows under headings, as wide as they need to be. Where that is wider than the terminal, names are cut first, then
/// columns go, the least important first, then names are cut to what is left.
struct Table {
    struct Column {
        let heading: String
        var isNumber = false
        /// 0 is never left out; of the others, the highest goes first.
        var expendable = 0
        /// Whether its cells may be cut in the middle.
        var isName = false
    }

    struct Cell {
        let text: String
        var colour: Terminal.Colour?

        /// - Parameter text: whatever others wrote.
        init(_ text: String, _ colour: Terminal.Colour? = nil) {
            self.text = SafeText.line(text)
            self.colour = colour
        }
    }

    private static let gap = "  "
    /// A name is never cut to less.
    private static let shortestName = 16
    let columns: [Column]
    /// Each as long as `columns`.
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// The heading, then a line for each row.
    func lines(_ terminal: Terminal) -> [Styled] {
        var widths = columns.indices.map { index in
            rows.reduce(columns[index].heading.count) { max($0, $1[index].text.count) }
        }
        // One long name is no reason for a table without columns: it has a third of the line.
        if total(widths, Array(columns.indices)) > terminal.width { cutNames(&widths, to: terminal.width / 3) }
        let shown = visible(widths, within: terminal.width)
        let surplus = total(widths, shown) - terminal.width
        if surplus > 0 {
            for index in shown where columns[index].isName { cutNames(&widths, to: widths[index] - surplus) }
        }
        let heading = columns.map { Cell($0.heading, .dim) }
        return ([heading] + rows).map { row in
            var line = Styled("")
            for index in shown {
                let isLast = index == shown.last
                if index != shown.first { line += Styled(Self.gap) }
                line += padded(row[index], widths[index], isNumber: columns[index].isNumber, isLast: isLast, terminal)
            }
            return line
        }
    }

    private func cutNames(_ widths: inout [Int], to width: Int) {
        for index in columns.indices where columns[index].isName {
            widths[index] = min(widths[index], max(width, Self.shortestName, columns[index].heading.count))
        }
    }

    private func total(_ widths: [Int], _ shown: [Int]) -> Int {
        shown.reduce(-Self.gap.count) { $0 + widths[$1] + Self.gap.count }
    }

    private func visible(_ widths: [Int], within width: Int) -> [Int] {
        var shown = Array(columns.indices)
        while total(widths, shown) > width {
            guard let least = shown.max(by: { columns[$0].expendable < columns[$1].expendable }),
                columns[least].expendable > 0
            else { break }
            shown.removeAll { $0 == least }
        }
        return shown
    }

    private func padded(_ cell: Cell, _ width: Int, isNumber: Bool, isLast: Bool, _ terminal: Terminal) -> Styled {
        let text = cut(cell.text, to: width)
        let space = Styled(String(repeating: " ", count: width - text.count))
        let styled = Styled(text, cell.colour, on: terminal)
        if isNumber { return space + styled }
        return isLast ? styled : styled + space
    }
}

/// `text` in at most `width` characters: the beginning and the end, as names differ at either.
func cut(_ text: String, to width: Int) -> String {
    guard text.count > width, width > 0 else { return text }
    let tail = width / 2
    return text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
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
