// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Requests of a connection that are not answered yet, in their order: a reply leaves when all before it have left.
struct Exchanges {
    struct Exchange {
        var mode = ReplyMode()
        /// An answer that is ahead of its turn.
        var reply: ByteBuffer?
        /// The client waits for 100 before it sends the body.
        var owesContinue = false
    }

    /// The place of an exchange is its number modulo the size, which is a power of two.
    private var ring = [Exchange()]
    /// The number of the first one that is not answered.
    private(set) var first: UInt64 = 0
    /// Bytes of answers that are ahead of their turn.
    private(set) var aheadBytes = 0
    /// The number that the next one gets.
    private var end: UInt64 = 0

    var count: Int { Int(end &- first) }
    var isEmpty: Bool { first == end }

    mutating func begin(_ mode: ReplyMode) -> UInt64 {
        if count == ring.count { grow() }
        let sequence = end
        end &+= 1
        self[sequence] = Exchange(mode: mode)
        return sequence
    }

    func contains(_ sequence: UInt64) -> Bool { sequence >= first && sequence < end }

    /// One that is there.
    subscript(sequence: UInt64) -> Exchange {
        _read { yield ring[place(sequence)] }
        _modify { yield &ring[place(sequence)] }
    }

    /// Whether the next in turn waits for 100.
    var owesContinue: Bool { !isEmpty && self[first].owesContinue }

    /// Keeps an answer until its turn.
    mutating func keep(_ reply: ByteBuffer, for sequence: UInt64) {
        self[sequence].reply = reply
        aheadBytes += reply.readableBytes
    }

    mutating func removeFirst() {
        if let reply = self[first].reply {
            aheadBytes -= reply.readableBytes
            self[first].reply = nil
        }
        first &+= 1
    }

    /// Takes back one whose request will never be whole.
    mutating func removeLast() { end &-= 1 }

    mutating func removeAll() {
        while !isEmpty { removeFirst() }
    }

    /// Nothing follows the last one.
    mutating func closeAfterLast() {
        guard !isEmpty else { return }
        self[end &- 1].mode.closes = true
    }

    private func place(_ sequence: UInt64) -> Int { Int(truncatingIfNeeded: sequence) & (ring.count &- 1) }

    private mutating func grow() {
        var larger = [Exchange](repeating: Exchange(), count: ring.count * 2)
        for sequence in first..<end { larger[Int(truncatingIfNeeded: sequence) & (larger.count - 1)] = self[sequence] }
        ring = larger
    }
}
