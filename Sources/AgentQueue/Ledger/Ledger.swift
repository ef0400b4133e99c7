// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What the file holds, in numbers: the totals and the first and last event of every destination.
///
/// The writer changes it within a transaction, and takes the changes back when the transaction fails. Nothing in that
/// looks at more destinations than the transaction touched, however many there are.
struct Ledger: Sendable {
    private(set) var accounts: [Account] = []
    private var positions: [DestinationID: Int] = [:]
    /// Of all accounts together.
    private(set) var totals = QueueTotals()
    /// What is still to be read from files that were moved aside, in the order in which it is.
    private(set) var carryOvers: [CarryOver] = []
    /// The id that the next event gets.
    var nextID = EventID(1)
    /// Grows with each transaction of the writer: tells after a failed COMMIT whether it is in the file.
    var serial: Int64 = 0
    /// Where accounts are whose totals differ from the file's; some of them perhaps no longer.
    private var touched: [Int] = []
    /// Where accounts are that changed since they were published.
    private var unpublished: [Int] = []
    private var oldestFirst = OldestFirst()
    /// Where accounts are that hold more than their own shares, which a lowered limit makes them.
    private(set) var overShare: Set<Int> = []
    private var undo: Undo?
    private var transaction = 0

    init() {}

    mutating func add(_ account: Account) {
        positions[account.id] = accounts.count
        accounts.append(account)
        totals += account.totals
        oldestFirst.note(account.head, at: accounts.count - 1)
        noteShare(at: accounts.count - 1)
        noteChange(at: accounts.count - 1)
        if account.isTouched { touched.append(accounts.count - 1) }
    }

    /// A serial for a new file: none of a transaction that was tried on the old one.
    static func serial(after known: Ledger?) -> Int64 { (known?.serial ?? 0) + 1000 }

    func position(of id: DestinationID) -> Int? { positions[id] }

    var queuedBytes: Int64 { totals.queuedBytes }
    var deadEvents: Int64 { totals.deadEvents }
    var deadBytes: Int64 { totals.deadBytes }

    // MARK: Transactions

    /// How it was before a transaction: the accounts that it changed, and what is small.
    private struct Undo: Sendable {
        var accounts: [(position: Int, account: Account)] = []
        let count: Int
        let totals: QueueTotals
        let carryOvers: [CarryOver]
        let nextID: EventID
        let serial: Int64
        let touched: [Int]
    }

    /// From here on changes can be taken back.
    mutating func begin() {
        transaction += 1
        undo = Undo(
            count: accounts.count,
            totals: totals,
            carryOvers: carryOvers,
            nextID: nextID,
            serial: serial,
            touched: touched
        )
    }

    /// The changes since ``begin()`` stay.
    mutating func keep() { undo = nil }

    /// Takes back all changes since ``begin()``.
    mutating func takeBack() {
        guard let undo else { return }
        self.undo = nil
        for account in accounts[undo.count...] { positions[account.id] = nil }
        accounts.removeLast(accounts.count - undo.count)
        for (position, account) in undo.accounts where position < undo.count {
            accounts[position] = account
            accounts[position].isUnpublished = true
        }
        unpublished.removeAll { $0 >= undo.count }
        overShare = overShare.filter { $0 < undo.count }
        for (position, _) in undo.accounts where position < undo.count { noteShare(at: position) }
        oldestFirst.forget()
        totals = undo.totals
        carryOvers = undo.carryOvers
        nextID = undo.nextID
        serial = undo.serial
        touched = undo.touched
    }

    /// Before each change of an account.
    private mutating func noteChange(at position: Int) {
        if undo != nil, accounts[position].keptBy != transaction {
            undo?.accounts.append((position, accounts[position]))
            accounts[position].keptBy = transaction
        }
        if !accounts[position].isUnpublished {
            accounts[position].isUnpublished = true
            unpublished.append(position)
        }
    }

    /// Changes an account's totals, and those of all.
    private mutating func count(at position: Int, _ change: (inout QueueTotals) -> Void) {
        touch(at: position)
        change(&accounts[position].totals)
        change(&totals)
        noteShare(at: position)
    }

    private mutating func noteShare(at position: Int) {
        let isOver = accounts[position].maxBytes > 0 && accounts[position].excess > 0
        if isOver { overShare.insert(position) } else if !overShare.isEmpty { overShare.remove(position) }
    }

    /// Where the oldest event of all is.
    mutating func oldest() -> Int? { oldestFirst.first(of: accounts) }

    private mutating func touch(at position: Int) {
        noteChange(at: position)
        guard !accounts[position].isTouched else { return }
        accounts[position].isTouched = true
        touched.append(position)
    }

    // MARK: What differs from the file, and from what was published

    /// Whether the file lacks counts.
    var hasUnwritten: Bool { touched.contains { accounts[$0].isTouched && accounts[$0].isStored } }

    /// Calls `body` with each account whose totals differ from the file's, which they no longer do after that.
    mutating func writeTouched(_ body: (Account) throws(QueueError) -> Void) throws(QueueError) {
        var left: [Int] = []
        for position in touched where accounts[position].isTouched {
            // Its row is made with its first event.
            guard accounts[position].isStored else {
                left.append(position)
                continue
            }
            try body(accounts[position])
            noteChange(at: position)
            accounts[position].isTouched = false
        }
        touched = left
    }

    /// Calls `body` with the accounts that changed since the last time.
    mutating func publishChanges(_ body: (_ position: Int, Account) -> Void) {
        for position in unpublished {
            accounts[position].isUnpublished = false
            body(position, accounts[position])
        }
        unpublished.removeAll(keepingCapacity: true)
    }

    // MARK: What comes from a damaged file

    /// Destinations that have events to come.
    var held: Set<DestinationID> { Set(accounts.lazy.filter { $0.heldBelow > .zero }.map(\.id)) }

    /// - Precondition: `nextID` is set.
    mutating func add(_ carryOver: CarryOver) {
        carryOvers.append(carryOver)
        guard carryOver.rows == .events, let position = positions[carryOver.destination] else { return }
        hold(below: max(carryOver.below, accounts[position].heldBelow), at: position)
    }

    /// Takes note of how far the first one has come.
    mutating func update(_ carryOver: CarryOver) { carryOvers[0] = carryOver }

    /// The first one is of no destination that there is: nothing can come of it.
    mutating func dropCarryOver() { carryOvers.removeFirst() }

    /// The first one, which is of this destination, gave all that it has.
    mutating func finishCarryingOver(at position: Int) {
        touch(at: position)
        totals -= accounts[position].totals
        accounts[position].totals.settle(carryOvers.removeFirst())
        totals += accounts[position].totals
        let id = accounts[position].id
        let below = carryOvers.lazy.filter { $0.destination == id && $0.rows == .events }.map(\.below).max()
        if let below { hold(below: below, at: position) } else { accounts[position].heldBelow = .zero }
    }

    private mutating func hold(below: EventID, at position: Int) {
        noteChange(at: position)
        accounts[position].heldBelow = below
        accounts[position].head = nil
        // There is something to read, wherever it will be.
        accounts[position].last = EventID(nextID.rawValue - 1)
    }

    // MARK: What happens to events

    mutating func appended(_ count: Int, bytes: Int64, to position: Int, head: Head, last: EventID) {
        self.count(at: position) {
            $0.queue(count, bytes: bytes)
            $0.accepted += Int64(count)
        }
        grew(at: position, head: head, last: last)
    }

    mutating func requeued(_ count: Int, bytes: Int64, to position: Int, head: Head, last: EventID) {
        self.count(at: position) {
            $0.queue(count, bytes: bytes)
            $0.deadLettered -= Int64(count)
            $0.bury(-count, bytes: -bytes)
        }
        grew(at: position, head: head, last: last)
    }

    private mutating func grew(at position: Int, head: Head, last: EventID) {
        accounts[position].last = last
        guard accounts[position].head == nil, accounts[position].heldBelow == .zero else { return }
        accounts[position].head = head
        oldestFirst.note(head, at: position)
    }

    mutating func delivered(_ rows: RemovedRows, at position: Int) {
        guard rows.count > 0 else { return }
        count(at: position) {
            $0.queue(-rows.count, bytes: -rows.bytes)
            $0.delivered += Int64(rows.count)
        }
    }

    mutating func removed(_ rows: RemovedRows, cause: Commit.RemovalCause, at position: Int) {
        guard rows.count > 0 else { return }
        count(at: position) {
            $0.queue(-rows.count, bytes: -rows.bytes)
            switch cause {
            case .expired: $0.expired += Int64(rows.count)
            case .evicted: $0.evicted += Int64(rows.count)
            }
        }
    }

    mutating func buried(_ rows: RemovedRows, at position: Int) {
        guard rows.count > 0 else { return }
        count(at: position) {
            $0.queue(-rows.count, bytes: -rows.bytes)
            $0.deadLettered += Int64(rows.count)
            $0.bury(rows.count, bytes: rows.bytes)
        }
    }

    mutating func purged(_ count: Int, bytes: Int64, at position: Int) {
        self.count(at: position) { $0.bury(-count, bytes: -bytes) }
    }

    mutating func refused(_ count: Int, at position: Int) {
        self.count(at: position) { $0.refused += Int64(count) }
    }

    mutating func setPaused(_ isPaused: Bool, at position: Int) {
        noteChange(at: position)
        accounts[position].isPaused = isPaused
    }

    mutating func setHead(_ head: Head?, at position: Int) {
        noteChange(at: position)
        accounts[position].head = head
        oldestFirst.note(head, at: position)
    }

    mutating func setLimit(_ maxBytes: Int64, at position: Int) {
        noteChange(at: position)
        accounts[position].maxBytes = maxBytes
        noteShare(at: position)
    }

    mutating func stored(at position: Int) {
        touch(at: position)
        accounts[position].isStored = true
    }
}

extension QueueTotals {
    fileprivate mutating func queue(_ count: Int, bytes: Int64) {
        queuedEvents += Int64(count)
        queuedBytes += bytes
    }

    fileprivate mutating func bury(_ count: Int, bytes: Int64) {
        deadEvents += Int64(count)
        deadBytes += bytes
    }
}
