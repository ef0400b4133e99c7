// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// A word where a verb belongs that is none.
struct UnknownVerb: CustomStringConvertible {
    let word: String
    /// What leads to it: `agentctl`, or `agentctl dead-letters`.
    let path: String
    let nearest: String?

    /// - Parameter words: the command line.
    /// - Returns: `nil` where it has no such word: then ArgumentParser judges it.
    static func find(in words: [String], of root: any ParsableCommand.Type) -> UnknownVerb? {
        var command = root
        var path = [root.configuration.commandName ?? ""]
        for word in words.dropFirst(words.first == "help" ? 1 : 0) {
            let verbs = command.configuration.subcommands
            if verbs.isEmpty || word.hasPrefix("-") { return nil }
            if let verb = verbs.first(where: { $0.configuration.commandName == word }) {
                command = verb
                path.append(word)
                continue
            }
            let names = verbs.compactMap { $0.configuration.commandName }
            let best = names.map { (name: $0, edits: edits(word, $0)) }.min { $0.edits < $1.edits }
            // More than half of it rewritten is another word.
            let nearest = best.flatMap { $0.edits * 2 <= max($0.name.utf8.count, word.utf8.count) ? $0.name : nil }
            return UnknownVerb(word: word, path: path.joined(separator: " "), nearest: nearest)
        }
        return nil
    }

    var description: String {
        """
        Error: '\(path)' has no verb '\(word)'.\(nearest.map { " Did you mean '\($0)'?" } ?? "")
        Usage: \(path) <subcommand>
          See '\(path) --help' for more information.
        """
    }
}

/// The optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
private func edits(_ a: String, _ b: String) -> Int {
    // A word of the command line may be long, no verb is.
    let (a, b) = (Array(a.utf8.prefix(64)), Array(b.utf8))
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
