// SPDX-License-Identifier: Apache-2.0

/// Which of `names` somebody meant who wrote `written`: the one that the fewest edits lead to, the earlier of equals.
/// The part after the last dot weighs double, because a key under the wrong section is a likelier slip than another key.
func nearestName(to written: String, among names: some Sequence<String>) -> String? {
    func halves(_ name: String) -> (Substring, Substring) {
        guard let dot = name.lastIndex(of: ".") else { return ("", name[...]) }
        return (name[..<dot], name[name.index(after: dot)...])
    }
    let (section, key) = halves(written)
    return names.min {
        let (a, b) = (halves($0), halves($1))
        return 2 * edits(key, a.1) + edits(section, a.0) < 2 * edits(key, b.1) + edits(section, b.0)
    }
}

/// The optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
private func edits(_ a: Substring, _ b: Substring) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        for j in b.indices {
            var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
            current.append(cost)
        }
        (before, previous) = (previous, current)
    }
    return previous[b.count]
}
