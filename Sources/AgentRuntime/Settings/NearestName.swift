// SPDX-License-Identifier: Apache-2.0

/// Which of `names` somebody meant who wrote `written`: the one that the fewest edits lead to, the earlier of equals.
/// The part after the last dot weighs double, because a key under the wrong section is a likelier slip than another key.
///
/// For a few short names; ``NameIndex`` is for many. `nil` also where `written` is longer than any slip would make it.
func nearestName(to written: String, among names: some Sequence<String>) -> String? {
    guard written.utf8.count <= 64 else { return nil }
    func halves(_ name: String) -> (section: [UInt8], key: [UInt8]) {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return ([], Array(name.utf8)) }
        return (Array(name.utf8[..<dot]), Array(name.utf8[name.utf8.index(after: dot)...]))
    }
    let (section, key) = halves(written)
    let distances = names.map { name in
        let other = halves(name)
        return (name: name, edits: 2 * edits(key, other.key, atMost: 64) + edits(section, other.section, atMost: 64))
    }
    return distances.min { $0.edits < $1.edits }?.name
}

/// The optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours. Beyond `limit` it
/// is just more than that; what cannot be within it is not looked at, so that two texts of n bytes cost n * limit.
func edits(_ a: [UInt8], _ b: [UInt8], atMost limit: Int) -> Int {
    let tooMany = limit + 1
    guard abs(a.count - b.count) <= limit else { return tooMany }
    // Three rows of the table, which take turns.
    let width = b.count + 1
    var table = [Int](repeating: tooMany, count: 3 * width)
    var (before, previous, current) = (0, width, 2 * width)
    for j in 0...min(b.count, limit) { table[previous + j] = j }
    for i in a.indices {
        let first = max(0, i - limit)
        let last = min(b.count, i + limit + 1)
        table[current + first] = first == 0 ? i + 1 : tooMany
        var least = table[current + first]
        // Of the row before, one column more is looked at than was filled in.
        if last < b.count { table[current + last + 1] = tooMany }
        for j in first..<max(first, last) {
            let change = a[i] == b[j] ? 0 : 1
            var cost = min(table[previous + j + 1] + 1, table[current + j] + 1, table[previous + j] + change)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, table[before + j - 1] + 1) }
            table[current + j + 1] = cost
            least = min(least, cost)
        }
        if least > limit { return tooMany }
        (before, previous, current) = (previous, current, before)
    }
    return min(table[previous + b.count], tooMany)
}
