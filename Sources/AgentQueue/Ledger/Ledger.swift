// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What the file holds, in numbers: the totals and the first and last event of every destination.
///
/// A value: the writer changes its own copy within a transaction, and drops it when the transaction fails.
struct Ledger: Sendable {
    /// The oldest event of a destination.
    struct Head: Hashable, Sendable {
        let id: EventID
        let acceptedMS: Int64
    }

    struct Account: Sendable {
        let id: DestinationID
        let destination: Destination
        /// Whether the file has its row and its table of events.
        var isStored = false
        var isPaused = false
        /// Its own share of the queue, in bytes; 0: none of its own.
        var maxBytes: Int64 = 0
        var totals = QueueTotals()
        /// `nil` while it has no events.
        var head: Head?
        /// The last event that was ever stored for it, as far as the file tells.
        var last = EventID.zero
        /// Its events below this id are still to come from a damaged file, which is why it has no head; zero: none.
        var heldBelow = EventID.zero
        /// Whether its totals differ from the file's.
        var isTouched = false
    }

    private(set) var accounts: [Account] = []
    private var positions: [DestinationID: Int] = [:]
    /// Of all accounts together.
    private(set) var queuedBytes: Int64 = 0
    private(set) var deadEvents: Int64 = 0
    private(set) var deadBytes: Int64 = 0
    /// What is still to be read from files that were moved aside, in the order in which it is.
    private(set) var carryOvers: [CarryOver] = []
    /// The id that the next event gets.
    var nextID = EventID(1)
    /// Grows with each transaction of the writer: tells after a failed COMMIT whether it is in the file.
    var serial: Int64 = 0

    mutating func add(_ account: Account) {
        positions[account.id] = accounts.count
        accounts.append(account)
        queuedBytes += account.totals.queuedBytes
        deadEvents += account.totals.deadEvents
        deadBytes += account.totals.deadBytes
    }

    init() {}

    /// A serial for a new file: none of a transaction that was tried on the old one.
    static func serial(after known: Ledger?) -> Int64 { (known?.serial ?? 0) + 1000 }

    func position(of id: DestinationID) -> Int? { positions[id] }

    var totals: QueueTotals {
        accounts.reduce(into: QueueTotals()) { $0 += $1.totals }
    }

    // MARK: What comes from a damaged file

    /// Destinations that have events to come.
    var held: Set<DestinationID> { Set(accounts.lazy.filter { $0.heldBelow > .zero }.map(\.id)) }

    /// - Precondition: `nextID` is set.
    mutating func add(_ carryOver: CarryOver) {
        carryOvers.append(carryOver)
        guard let position = positions[carryOver.destination] else { return }
        updateHold(at: position)
    }

    /// Takes note of how far the first one has come.
    mutating func update(_ carryOver: CarryOver) { carryOvers[0] = carryOver }

    /// The first one, which is of this destination, gave all that it has.
    mutating func finishCarryingOver(at position: Int) {
        let before = accounts[position].totals
        accounts[position].totals.settle(carryOvers.removeFirst())
        let after = accounts[position].totals
        queuedBytes += after.queuedBytes - before.queuedBytes
        deadEvents += after.deadEvents - before.deadEvents
        deadBytes += after.deadBytes - before.deadBytes
        accounts[position].isTouched = true
        updateHold(at: position)
    }

    private mutating func updateHold(at position: Int) {
        let id = accounts[position].id
        let below = carryOvers.filter { $0.destination == id && $0.rows == .events }.map(\.below).max()
        accounts[position].heldBelow = below ?? .zero
        guard below != nil else { return }
        accounts[position].head = nil
        // There is something to read, wherever it will be.
        accounts[position].last = EventID(nextID.rawValue - 1)
    }

    // MARK: What happens to events

    mutating func appended(_ count: Int, bytes: Int64, to position: Int, head: Head, last: EventID) {
        queue(count, bytes: bytes, at: position, head: head, last: last)
        accounts[position].totals.accepted += Int64(count)
    }

    mutating func delivered(_ rows: RemovedRows, at position: Int) {
        unqueue(rows, at: position)
        accounts[position].totals.delivered += Int64(rows.count)
    }

    mutating func removed(_ rows: RemovedRows, cause: Commit.RemovalCause, at position: Int) {
        unqueue(rows, at: position)
        switch cause {
        case .expired: accounts[position].totals.expired += Int64(rows.count)
        case .evicted: accounts[position].totals.evicted += Int64(rows.count)
        }
    }

    mutating func buried(_ rows: RemovedRows, at position: Int) {
        unqueue(rows, at: position)
        accounts[position].totals.deadLettered += Int64(rows.count)
        dead(rows.count, bytes: rows.bytes, at: position)
    }

    mutating func requeued(_ count: Int, bytes: Int64, to position: Int, head: Head, last: EventID) {
        queue(count, bytes: bytes, at: position, head: head, last: last)
        accounts[position].totals.deadLettered -= Int64(count)
        dead(-count, bytes: -bytes, at: position)
    }

    mutating func purged(_ count: Int, bytes: Int64, at position: Int) {
        dead(-count, bytes: -bytes, at: position)
    }

    mutating func refused(_ count: Int, at position: Int) {
        accounts[position].totals.refused += Int64(count)
        accounts[position].isTouched = true
    }

    mutating func setPaused(_ isPaused: Bool, at position: Int) { accounts[position].isPaused = isPaused }
    mutating func setHead(_ head: Head?, at position: Int) { accounts[position].head = head }
    mutating func setLimit(_ maxBytes: Int64, at position: Int) { accounts[position].maxBytes = maxBytes }

    mutating func stored(at position: Int) {
        accounts[position].isStored = true
        accounts[position].isTouched = true
    }

    mutating func written(at position: Int) { accounts[position].isTouched = false }

    private mutating func queue(_ count: Int, bytes: Int64, at position: Int, head: Head, last: EventID) {
        queuedBytes += bytes
        accounts[position].isTouched = true
        accounts[position].totals.queuedEvents += Int64(count)
        accounts[position].totals.queuedBytes += bytes
        accounts[position].last = last
        if accounts[position].head == nil, accounts[position].heldBelow == .zero { accounts[position].head = head }
    }

    private mutating func unqueue(_ rows: RemovedRows, at position: Int) {
        guard rows.count > 0 else { return }
        queuedBytes -= rows.bytes
        accounts[position].isTouched = true
        accounts[position].totals.queuedEvents -= Int64(rows.count)
        accounts[position].totals.queuedBytes -= rows.bytes
    }

    private mutating func dead(_ count: Int, bytes: Int64, at position: Int) {
        deadEvents += Int64(count)
        deadBytes += bytes
        accounts[position].isTouched = true
        accounts[position].totals.deadEvents += Int64(count)
        accounts[position].totals.deadBytes += bytes
    }
}

/// Rows of one destination that are gone now.
struct RemovedRows: Sendable {
    var count = 0
    /// As the quota counts them.
    var bytes: Int64 = 0
    /// The lowest and the highest id among them.
    var first = EventID.zero
    var through = EventID.zero

    /// - Parameter id: Higher than all before.
    mutating func add(_ id: EventID, bytes: Int64) {
        if count == 0 { first = id }
        through = id
        count += 1
        self.bytes += bytes
    }

    /// - Parameter rows: Higher than all before.
    mutating func add(_ rows: RemovedRows) {
        guard rows.count > 0 else { return }
        if count == 0 { first = rows.first }
        through = rows.through
        count += rows.count
        bytes += rows.bytes
    }
}
