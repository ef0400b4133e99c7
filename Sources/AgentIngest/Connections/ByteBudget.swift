// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// What requests may hold in memory together, handed out first come, first served.
///
/// A body of known length asks once, before it is read. Some things only grow: a chunked body, a long line. If all
/// that grow waited for each other, none would ever end; so one of them at a time may overdraw the budget.
struct ByteBudget<Holder: AnyObject> {
    private struct Waiter {
        let holder: Holder
        let bytes: Int
        let grows: Bool
    }

    let limit: Int
    private(set) var held = 0
    private var waiters = CircularBuffer<Waiter>()
    /// Waiters that grow.
    private var growing = 0
    private var overdrawer: Holder?

    init(limit: Int) { self.limit = limit }

    /// Whether there is nothing to be had: those between two requests should not begin another one.
    var isExhausted: Bool { held >= limit || !waiters.isEmpty }

    /// - Returns: whether `holder` has the bytes now. Otherwise it waits, and ``nextGrant()`` will name it.
    mutating func reserve(_ bytes: Int, for holder: Holder, grows: Bool = false) -> Bool {
        if (waiters.isEmpty && fits(bytes)) || (grows && mayOverdraw(holder)) {
            held += bytes
            return true
        }
        waiters.append(Waiter(holder: holder, bytes: bytes, grows: grows))
        if grows { growing += 1 }
        return false
    }

    /// Takes bytes that are in memory already.
    mutating func charge(_ bytes: Int) { held += bytes }

    mutating func release(_ bytes: Int) { held -= bytes }

    /// What `holder` had growing is whole, or gone: another one may overdraw.
    mutating func endGrowth(of holder: Holder) {
        if overdrawer === holder { overdrawer = nil }
    }

    /// The next one that waited and now has its bytes.
    mutating func nextGrant() -> (holder: Holder, bytes: Int)? {
        if let first = waiters.first, fits(first.bytes) { return grant(at: waiters.startIndex) }
        guard overdrawer == nil, growing > 0, let index = waiters.firstIndex(where: \.grows) else { return nil }
        overdrawer = waiters[index].holder
        return grant(at: index)
    }

    private mutating func grant(at index: CircularBuffer<Waiter>.Index) -> (holder: Holder, bytes: Int) {
        let waiter = waiters.remove(at: index)
        if waiter.grows { growing -= 1 }
        held += waiter.bytes
        return (waiter.holder, waiter.bytes)
    }

    private func fits(_ bytes: Int) -> Bool { held + bytes <= limit && held < limit || held == 0 }

    private mutating func mayOverdraw(_ holder: Holder) -> Bool {
        guard overdrawer == nil || overdrawer === holder else { return false }
        overdrawer = holder
        return true
    }
}
