// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Destinations by their oldest event, for making room: a heap whose entries are looked at again when they come up.
///
/// An entry whose destination has another oldest event by now is dropped. It is filled when it is first asked, which is
/// only where the oldest events make room for new ones, and told of each new head from then on.
struct OldestFirst: Sendable {
    private struct Entry: Sendable {
        let id: EventID
        let position: Int
    }

    private var heap: [Entry] = []
    private var isFilled = false

    /// The place of an account has another oldest event.
    mutating func note(_ head: Ledger.Head?, at position: Int) {
        guard isFilled, let head else { return }
        push(Entry(id: head.id, position: position))
    }

    /// It is to be filled anew.
    mutating func forget() {
        heap = []
        isFilled = false
    }

    /// Where the oldest event of all is; `nil` where there is none.
    mutating func first(of accounts: [Ledger.Account]) -> Int? {
        // Entries that were passed by are not dropped before they come up.
        if !isFilled || heap.count > 2 * accounts.count + 64 { fill(accounts) }
        while let top = heap.first {
            if top.position < accounts.count, accounts[top.position].head?.id == top.id { return top.position }
            pop()
        }
        return nil
    }

    private mutating func fill(_ accounts: [Ledger.Account]) {
        heap = []
        isFilled = true
        for position in accounts.indices {
            if let head = accounts[position].head { push(Entry(id: head.id, position: position)) }
        }
    }

    private mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].id < heap[parent].id else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].id < heap[least].id {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
