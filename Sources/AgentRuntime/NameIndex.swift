// SPDX-License-Identifier: Apache-2.0

/// Finds which of many names somebody meant, at a cost that hardly depends on how many there are: it runs where clients
/// wait, for whatever they send.
///
/// A name with a slip in it shares its beginning or its end, up to the slip, with the one that was meant. So only those
/// are looked at that stand beside it when all are sorted by their beginnings, and by their ends.
struct NameIndex: Sendable {
    /// So many edits are a slip; more are another name.
    private static let mostEdits = 3
    /// Looked at on either side of where the name would stand.
    private static let neighbours = 2

    private let names: [[UInt8]]
    private let byBeginning: [Int32]
    private let byEnd: [Int32]

    /// - Parameter names: those of equals count once.
    init(_ names: some Sequence<String>) {
        let names = Set(names).sorted().map { Array($0.utf8) }
        self.names = names
        let all = names.indices.map(Int32.init)
        byBeginning = all.sorted { Self.precedes(names[Int($0)], names[Int($1)]) }
        byEnd = all.sorted { Self.precedesFromEnd(names[Int($0)], names[Int($1)]) }
    }

    /// The name that the fewest edits lead to, at most three and a third of what was written; of equals the first in
    /// the alphabet.
    func nearest(to written: String) -> String? {
        let written = Array(written.utf8)
        let limit = min(Self.mostEdits, max(1, written.count / 3))
        var best: (edits: Int, index: Int32)?
        for index in around(written, byBeginning, Self.precedes) + around(written, byEnd, Self.precedesFromEnd) {
            let distance = edits(written, names[Int(index)], atMost: min(best?.edits ?? limit, limit))
            guard distance <= limit else { continue }
            if let best, (best.edits, best.index) <= (distance, index) { continue }
            best = (distance, index)
        }
        return best.map { String(decoding: names[Int($0.index)], as: UTF8.self) }
    }

    private func around(
        _ name: [UInt8],
        _ order: [Int32],
        _ precedes: ([UInt8], [UInt8]) -> Bool
    ) -> ArraySlice<Int32> {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if precedes(names[Int(order[middle])], name) { low = middle + 1 } else { high = middle }
        }
        return order[max(0, low - Self.neighbours)..<min(order.count, low + Self.neighbours)]
    }

    private static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.lexicographicallyPrecedes(b) }

    private static func precedesFromEnd(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.reversed().lexicographicallyPrecedes(b.reversed())
    }
}
