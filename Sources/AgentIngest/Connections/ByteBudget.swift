// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// What the connections of an event loop hold in memory, and who may go on when that is much.
///
/// There are two accounts, each with the same limit. What *comes in* is no whole request yet, or an answer that is not
/// read: how long it stays, its client decides. What is *pending* is with the queue, and answered soon.
///
/// Bytes are charged when they are there, never when they are announced. Small requests are always
/// read; where they fill the memory, somebody has to go. The larger ones wait from three quarters of the limit on, or,
/// while they hold little, from the limit on. One larger connection at a time may overdraw: if all waited for each other, none would ever be whole.
struct ByteBudget<Holder: AnyObject> {
    private struct Sender {
        let holder: Holder
        let bytes: Int
    }

    /// What is small, of a request or of what a connection holds.
    static var smallBytes: Int { 64 << 10 }

    let limit: Int
    private(set) var incoming = 0
    private(set) var pending = 0
    private var largePending = 0

    private var readers = CircularBuffer<Holder>()
    private var overdrawer: Holder?
    /// What ``overdrawer`` holds.
    private var overdrawn = 0
    private var smallSenders = CircularBuffer<Sender>()
    private var largeSenders = CircularBuffer<Sender>()

    init(limit: Int) { self.limit = limit }

    var held: Int { incoming + pending }

    // MARK: What comes in

    private var largeLimit: Int { limit / 4 * 3 }
    /// What is held by all but the one that may overdraw.
    private var shared: Int { incoming - overdrawn }
    /// So much came in at once, before anybody could be kept from reading, that somebody has to go.
    var isOverfull: Bool { shared > limit + limit / 4 }
    /// Whether somebody still has to go, once some had to.
    var isFull: Bool { shared > limit }
    var hasReaders: Bool { !readers.isEmpty }

    /// A connection holds `change` bytes more than before, and `bytes` now.
    mutating func charge(_ change: Int, to holder: Holder, holding bytes: Int) {
        incoming += change
        // What it had begun is whole, or gone.
        guard overdrawer === holder else { return }
        if change < 0, bytes <= Self.smallBytes { setOverdrawer(nil, 0) } else { overdrawn = bytes }
    }

    /// Whether a connection that holds `bytes` may read. Otherwise it waits, and ``nextReader()`` will name it.
    ///
    /// - Parameter isSmall: it will not hold more than ``smallBytes``, so there is no need to make it wait.
    mutating func mayRead(_ holder: Holder, holding bytes: Int, isSmall: Bool) -> Bool {
        if isSmall || readsOn(holder, bytes) { return true }
        readers.append(holder)
        return false
    }

    private mutating func readsOn(_ holder: Holder, _ bytes: Int) -> Bool {
        if incoming < largeLimit || bytes == 0 { return true }
        if bytes <= Self.smallBytes, incoming < limit { return true }
        if overdrawer == nil { setOverdrawer(holder, bytes) }
        return overdrawer === holder
    }

    private mutating func setOverdrawer(_ holder: Holder?, _ bytes: Int) {
        overdrawer = holder
        overdrawn = bytes
    }

    /// One that waited to read, and now may.
    mutating func nextReader() -> Holder? {
        guard let first = readers.first, incoming < largeLimit || overdrawer == nil else { return nil }
        // What it holds is known with the next charge.
        if incoming >= largeLimit { setOverdrawer(first, 0) }
        return readers.removeFirst()
    }

    // MARK: What is pending

    /// Whether a request that takes so many bytes until it is answered may go to the queue.
    ///
    /// Where it may, they are charged. A large one has to fit with all others, or to be the only large one.
    mutating func admit(_ bytes: Int) -> Bool {
        guard fits(bytes) else { return false }
        charge(bytes)
        return true
    }

    /// For a holder that ``admit(_:)`` turned away: ``nextSender()`` will name it.
    mutating func wait(_ holder: Holder, for bytes: Int) {
        if bytes <= Self.smallBytes {
            smallSenders.append(Sender(holder: holder, bytes: bytes))
        } else {
            largeSenders.append(Sender(holder: holder, bytes: bytes))
        }
    }

    mutating func release(_ bytes: Int) {
        pending -= bytes
        if bytes > Self.smallBytes { largePending -= 1 }
    }

    /// One that waited to send, and its bytes, which are charged now.
    mutating func nextSender() -> (holder: Holder, bytes: Int)? {
        let next: Sender
        if let first = smallSenders.first, fits(first.bytes) {
            next = smallSenders.removeFirst()
        } else if let first = largeSenders.first, fits(first.bytes) {
            next = largeSenders.removeFirst()
        } else {
            return nil
        }
        charge(next.bytes)
        return (next.holder, next.bytes)
    }

    private func fits(_ bytes: Int) -> Bool {
        if bytes <= Self.smallBytes { return pending < limit }
        return largePending == 0 || pending + bytes <= largeLimit
    }

    private mutating func charge(_ bytes: Int) {
        pending += bytes
        if bytes > Self.smallBytes { largePending += 1 }
    }

    /// The connection is gone, and waits for nothing.
    mutating func forget(_ holder: Holder) {
        if overdrawer === holder { setOverdrawer(nil, 0) }
        readers.removeAll { $0 === holder }
        smallSenders.removeAll { $0.holder === holder }
        largeSenders.removeAll { $0.holder === holder }
    }
}
