// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

/// An event as delivery knows it.
struct Item {
    let id: EventID
    let key: EventKey
    /// `nil`: left memory, to be fetched by its id.
    var data: Payload?
    /// Data plus partition key, in bytes.
    let recordBytes: Int
    /// Attempts that failed.
    var failures = 0

    init(_ event: StoredEvent) {
        id = event.id
        key = event.key
        data = event.data
        recordBytes = event.recordBytes
    }

    /// What it takes of the memory allowed, in bytes, while its payload is here.
    var cost: Int { data == nil ? 0 : recordBytes + Self.overhead }

    /// The same, without the rest of the request that it came with: that would stay for as long as it waits.
    var compacted: Item {
        var item = self
        item.data = data?.compacted()
        return item
    }

    /// What an event takes besides its data and key, in bytes.
    static let overhead = 64
}

/// A key that has an event which is not done: no other event of it may be sent.
struct KeyState {
    enum Phase {
        /// The head is in a request, being settled, or becoming a dead letter.
        case held
        /// The head is in the urgent line.
        case queued
        /// The head, first of `waiting`, was throttled or failed.
        case backingOff
        /// The head, first of `waiting`, is to be fetched.
        case fetching
        /// The head, first of `waiting`, waits for its shard, in whose line the key is.
        case gated
    }

    var phase: Phase
    /// Ascending by id.
    var waiting: Deque<Item> = []
    let lane: Lane
}
