// SPDX-License-Identifier: Apache-2.0

/// Finds the record that makes Kinesis refuse a whole request, by halving.
///
/// A record that is refused when it goes alone is only a suspect: as long as Kinesis accepts nothing else of the
/// destination, the fault may be the stream's or ours. Once another record was accepted since the fault began, the
/// suspect is guilty.
struct Isolation {
    /// To be sent alone, last first.
    private var groups: [[Item]] = []
    private var isTesting = false
    /// Refused alone.
    private(set) var suspects: [Item] = []
    /// The destination's accepted records when the fault began.
    private var acceptedBefore: UInt64 = 0

    var isEmpty: Bool { groups.isEmpty && suspects.isEmpty && !isTesting }
    var hasGroup: Bool { !groups.isEmpty && !isTesting }
    /// Nothing is left to try that could clear the suspects.
    var isExhausted: Bool { groups.isEmpty && !isTesting && !suspects.isEmpty }
    var items: [Item] { groups.flatMap { $0 } + suspects }

    mutating func takeGroup() -> [Item]? {
        guard !isTesting, let group = groups.popLast() else { return nil }
        isTesting = true
        return group
    }

    /// The request of a group was answered, in whatever way.
    mutating func tested() { isTesting = false }

    /// A request with `items` was refused for the fault of some record in it.
    mutating func refused(_ items: [Item], accepted: UInt64) {
        if isEmpty { acceptedBefore = accepted }
        if items.count == 1 {
            suspects.append(items[0])
        } else {
            groups.append(Array(items[(items.count / 2)...]))
            groups.append(Array(items[..<(items.count / 2)]))
        }
    }

    /// Takes back a group whose request told nothing.
    mutating func putBack(_ items: [Item]) { groups.append(items) }

    /// The suspects, where another record was accepted since the fault began.
    mutating func takeGuilty(accepted: UInt64) -> [Item] {
        guard accepted > acceptedBefore, !suspects.isEmpty else { return [] }
        defer { suspects = [] }
        return suspects
    }

    mutating func clear() {
        groups = []
        suspects = []
    }
}
