// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Requests of a connection that are not answered yet, in their order: a reply leaves when all before it have left.
struct Exchanges {
    struct Exchange {
        var mode: ReplyMode
        /// An answer that is ahead of its turn.
        var reply: ByteBuffer?
        /// The client waits for 100 before it sends the body.
        var owesContinue = false
    }

    private var queue = CircularBuffer<Exchange>(initialCapacity: 2)
    /// The number of the first one that is not answered.
    private(set) var first: UInt64 = 0

    var count: Int { queue.count }
    var isEmpty: Bool { queue.isEmpty }

    mutating func begin(_ mode: ReplyMode) -> UInt64 {
        queue.append(Exchange(mode: mode))
        return first + UInt64(queue.count) - 1
    }

    func contains(_ sequence: UInt64) -> Bool { sequence >= first && sequence - first < UInt64(queue.count) }

    /// One that is there.
    subscript(sequence: UInt64) -> Exchange {
        get { queue[offset: Int(sequence - first)] }
        set { queue[queue.index(queue.startIndex, offsetBy: Int(sequence - first))] = newValue }
    }

    /// The next in turn.
    var next: Exchange? { queue.first }

    mutating func removeFirst() {
        queue.removeFirst()
        first += 1
    }

    /// Takes back one whose request will never be whole.
    mutating func removeLast() { queue.removeLast() }

    mutating func removeAll() {
        first += UInt64(queue.count)
        queue.removeAll()
    }

    /// Nothing follows the last one.
    mutating func closeAfterLast() {
        guard !queue.isEmpty else { return }
        self[first + UInt64(queue.count) - 1].mode.closes = true
    }
}
