// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

/// Finds the record that makes Kinesis refuse a whole request, by halving.
///
/// A record that is refused when it goes alone is only a suspect: as long as Kinesis accepts nothing else of the
/// destination, the fault may be the stream's or ours. Once another record is accepted the suspect goes alone again,
/// and only if it is refused then too, it is guilty. So a fault that passes costs no event.
struct Isolation {
    /// So many records refused, one after the other and none accepted: then the destination is parked.
    static let mostSuspects = 8

    /// Records to be sent by themselves.
    struct Group {
        let items: [Item]
        /// Of a suspect: when it was first refused alone.
        var suspectSince: Instant?
    }

    /// Last first.
    private var groups: [Group] = []
    private var isTesting = false
    /// Refused alone, while nothing else was accepted.
    private(set) var suspects: Deque<Group> = []

    var isEmpty: Bool { groups.isEmpty && suspects.isEmpty && !isTesting }
    var hasGroup: Bool { !groups.isEmpty && !isTesting }
    /// Nothing is left to try but the suspects themselves.
    var isExhausted: Bool { groups.isEmpty && !isTesting && !suspects.isEmpty }
    var items: [Item] { (groups + suspects).flatMap(\.items) }

    /// - Parameter alone: Only one record is to go.
    mutating func takeGroup(alone: Bool) -> Group? {
        guard !isTesting, let group = groups.popLast() else { return nil }
        isTesting = true
        guard alone, group.items.count > 1 else { return group }
        groups.append(Group(items: Array(group.items.dropFirst())))
        return Group(items: [group.items[0]])
    }

    /// The suspect that waited longest.
    mutating func takeSuspect() -> Group? {
        guard !isTesting, let suspect = suspects.popFirst() else { return nil }
        isTesting = true
        return suspect
    }

    /// The request of a group was answered, in whatever way.
    mutating func tested() { isTesting = false }

    /// A request was refused for the fault of some record in it.
    ///
    /// - Parameter proven: When the latest request began of which a record was accepted.
    /// - Returns: The record, where it is proven guilty.
    mutating func refused(_ group: Group, proven: Instant?, now: Instant) -> Item? {
        if group.items.count == 1 {
            let since = group.suspectSince ?? now
            if group.suspectSince != nil, let proven, proven >= since { return group.items[0] }
            suspects.append(Group(items: group.items, suspectSince: since))
        } else {
            let half = group.items.count / 2
            groups.append(Group(items: Array(group.items[half...])))
            groups.append(Group(items: Array(group.items[..<half])))
        }
        return nil
    }

    /// Takes back a group whose request told nothing.
    mutating func putBack(_ group: Group) { groups.append(group) }

    /// Another record was accepted, of a request that began at `proven`: who is suspect since before then is tried once
    /// more.
    mutating func retry(proven: Instant) {
        guard !suspects.isEmpty else { return }
        groups.append(contentsOf: suspects.filter { $0.suspectSince.map { $0 <= proven } ?? true })
        suspects.removeAll { $0.suspectSince.map { $0 <= proven } ?? true }
    }

    /// Takes out the records up to `last`, which a limit removed.
    mutating func remove(through last: EventID) -> [Item] {
        let gone = items.filter { $0.id <= last }
        guard !gone.isEmpty else { return [] }
        func rest(of group: Group) -> Group? {
            let left = group.items.filter { $0.id > last }
            return left.isEmpty ? nil : Group(items: left, suspectSince: group.suspectSince)
        }
        groups = groups.compactMap(rest)
        suspects = Deque(suspects.compactMap(rest))
        return gone
    }

    mutating func clear() {
        groups = []
        suspects = []
    }
}
