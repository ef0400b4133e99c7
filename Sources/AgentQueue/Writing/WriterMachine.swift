// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Decides what becomes of the work that waits and of the file under it. Pure: it hears what happened and the time, and
/// says what to do.
///
/// Feed it what happened, then take actions from ``next()`` until there are none. It decides once a transaction, however
/// many events are in that.
///
///     state      holds                                 leaves for
///     open       nothing                               tampered; failed, when the disk fails or a COMMIT is undecided;
///                                                      damaged
///     repaired   nothing: the file is new, and         open, with the first commit; else as open, but that damage is
///                nothing was committed to it           left for later: the disk does not hold what it is given
///     tampered   nothing: what is open is all          closed
///     failed     what is undecided and what waits      open or repaired, once opened again; damaged
///     damaged    that, and the damage                  failed, once a new file took its place
///     closed     nothing                               -
///
/// Whether there is room on the disk is a second question, with an answer in each state: ``Room``.
///
/// What holds at every moment:
/// - A request is answered once: `stored` after its COMMIT succeeded or the file, opened again, turned out to hold it.
/// - Settlements and dead letters that were brought are in a transaction, owed, or done; those that were done without a
///   sync are kept until a sync, and owed again where the file loses them.
/// - Whatever fails is either tried again by ``retryDue()``, or by upkeep, which has been planned.
///
/// Not thread-safe: confined to the writer's queue.
struct WriterMachine: ~Copyable {
    enum State {
        case open
        /// A damaged file was replaced, and nothing was committed to the new one yet.
        case repaired
        /// The file was deleted or replaced underneath: what is open is all there is.
        case tampered
        /// The file is closed, and is to be opened again.
        case failed(Outage)
        /// The file is closed, and another is to take its place.
        case damaged(Outage, QueueError)
        case closed
    }

    /// Why the file is closed, and what waits for it.
    struct Outage {
        static let firstRetryMS = 100
        static let longestRetryMS = 10_000

        var undecided: Undecided?
        /// Whose transaction met the damage, and how: brought again when the file was replaced.
        var interrupted: (work: Work, error: QueueError)?
        /// A damaged file was replaced, and nothing was committed to the new one yet.
        var isRepair = false
        var retryMS = firstRetryMS
    }

    var settings: QueueSettings
    var state = State.open
    var room: Room
    /// Settlements and dead letters of commits that failed: done again when the file lets them.
    private(set) var owed = Work()
    /// Those of commits that were left to the operating system to write: done again where it loses them.
    private(set) var unsynced = Work()
    /// Whether a commit was left to the operating system to write.
    private(set) var hasUnsynced = false
    /// A COMMIT failed, and what was in it is being tried again; once, lest a disk that never takes it keep the writer.
    var isSecondTry = false
    var log: LogLength
    var patience: Patience
    /// Another program has the file locked.
    private(set) var isLocked = false
    private var actions: [WriterAction] = []

    /// - Parameter isReserveSpent: opening the file took what was set aside for a full disk.
    init(settings: QueueSettings, isReserveSpent: Bool = false) {
        self.settings = settings
        room = isReserveSpent ? .reserveSpent(isTold: false) : .enough
        log = LogLength(limit: settings.walFrames)
        patience = Patience(limitNS: settings.readPatience.wholeNanoseconds)
    }

    /// What is to be done next; `nil`: nothing.
    mutating func next() -> WriterAction? {
        if actions.isEmpty { return nil }
        return actions.count == 1 ? actions.removeLast() : actions.removeFirst()
    }

    mutating func say(_ action: WriterAction) { actions.append(action) }

    // MARK: What it is asked

    /// Whether the file can be read and written.
    var isUsable: Bool {
        switch state {
        case .open, .repaired, .tampered: true
        case .failed, .damaged, .closed: false
        }
    }

    var isTampered: Bool { if case .tampered = state { true } else { false } }
    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// The commit of which nobody knows whether it is stored.
    var undecided: Undecided? {
        switch state {
        case .failed(let outage), .damaged(let outage, _): outage.undecided
        case .open, .repaired, .tampered, .closed: nil
        }
    }

    /// Whether there is something that only upkeep brings to an end.
    var needsUpkeep: Bool { room.isShort || !owed.isEmpty || isLocked || log.isPinned }

    var unavailable: QueueError {
        .unavailable(reason: isClosed ? "the agent is stopping" : "the disk failed and it is being opened again")
    }

    // MARK: Work

    /// Work to be done in one transaction.
    ///
    /// - Parameter freeBytes: what the disk has left, where ``watchesDisk`` and the work wants room.
    mutating func brought(_ work: Work, freeBytes: Int64? = nil) {
        var work = work
        if work.wantsRoom, let refusal = standingRefusal(freeBytes) { refuse(&work, refusal) }
        guard !work.isEmpty else { return }
        guard isUsable else { return postpone(work, .storage(message: unavailable.description)) }
        let isSynced = work.wantsSync && settings.durability == .full
        say(.transact(Transaction(work: work, job: .work, isSynced: isSynced)))
    }

    /// Makes durable what was left to the operating system.
    ///
    /// - Parameter hasUnwritten: there are counts that the file lacks.
    mutating func sync(hasUnwritten: Bool) {
        guard isUsable, hasUnsynced || hasUnwritten else { return }
        say(.transact(Transaction(job: .sync, isSynced: true)))
    }

    /// A slice of what may be done again after a power cut.
    mutating func slice(_ job: Transaction.Job) {
        guard isUsable else { return }
        say(.transact(Transaction(job: job, isSynced: false)))
    }

    /// Does again what failed commits left undone; whether there was anything. Rows that are gone already count nothing.
    mutating func payDebts() -> Bool {
        guard isUsable, !owed.isEmpty else { return false }
        var work = Work()
        swap(&work, &owed)
        say(.bring(work))
        return true
    }

    /// To be done before anything else is taken up.
    mutating func owe(_ work: Work) { owed.append(work) }

    /// The debts were tried.
    mutating func debtsTried() {
        if owed.isEmpty { couldRead(nil) }
    }

    // MARK: What became of a transaction

    mutating func ended(_ transaction: Transaction, _ outcome: TransactionOutcome) {
        switch outcome {
        case .done(let draft): done(transaction, draft)
        case .tampered:
            state = .tampered
            say(.setTampered)
            say(.notice(.tampered(path: settings.path)))
            again(transaction.work)
            // What was to be synced still is.
            say(.planUpkeep)
        case .failed(let error, let freeBytes, let nowNS):
            failed(transaction, error, freeBytes: freeBytes, nowNS: nowNS)
        case .undecided(let draft, let serial, let error):
            say(.notice(.commitFailed(message: error.description)))
            guard !isTampered else {
                // What is open is all there is. There are no appends in it: at worst it is done already.
                return postpone(transaction.work, .tampered(path: settings.path))
            }
            let undecided = Undecided(
                work: transaction.work,
                draft: draft,
                serial: serial,
                message: error.description
            )
            fail(Outage(undecided: undecided))
        }
    }

    private mutating func done(_ transaction: Transaction, _ draft: Draft) {
        if draft.changesFile {
            isSecondTry = false
            hasUnsynced = !transaction.isSynced
            unsynced.remember(transaction.work, unless: transaction.isSynced)
            if case .repaired = state { state = .open }
            if !transaction.work.requests.isEmpty { hasRoom(freeBytes: 0) }
        }
        say(.conclude(draft))
    }

    private mutating func failed(_ transaction: Transaction, _ error: QueueError, freeBytes: Int64, nowNS: Int64) {
        let work = transaction.work
        switch error {
        case .full: diskFull(transaction, freeBytes: freeBytes)
        case .damaged where !isTampered: damaged(error, work)
        case .unreadable where !isTampered && hasWaitedLong(nil, error, nowNS): damaged(error.asDamage, work)
        case .unavailable: postpone(work, .storage(message: error.description))
        case .busy(let path, let holder):
            // Nothing is wrong with the disk.
            postpone(work, .locked(path: path, holder: holder))
        default:
            postpone(work, .storage(message: error.description))
            // A file that was moved away cannot be opened again: what is open is all there is.
            if !isTampered { fail(Outage()) }
        }
    }

    /// Something else than a transaction failed.
    mutating func failed(_ error: QueueError, freeBytes: Int64, nowNS: Int64) {
        failed(Transaction(job: .sync, isSynced: false), error, freeBytes: freeBytes, nowNS: nowNS)
    }

    // MARK: What cannot be done now

    /// Turns away what makes the queue longer.
    mutating func refuse(_ work: inout Work, _ refusal: AppendRefusal) {
        let (requests, orders) = work.takeWhatWantsRoom()
        say(.refuse(requests, orders, refusal))
    }

    /// Refuses what was to be appended, and keeps the rest for when the file can be written.
    mutating func postpone(_ work: Work, _ refusal: AppendRefusal) {
        var work = work
        if work.wantsRoom { refuse(&work, refusal) }
        if !work.orders.isEmpty { say(.reject(work.orders, unavailable)) }
        work.orders = []
        owed.append(work)
        say(.planUpkeep)
    }

    mutating func again(_ work: Work) {
        if !work.isEmpty { say(.bring(work)) }
    }

    /// The file may have lost what was not synced, and have the rows still.
    mutating func lostUnsynced(_ isLost: Bool) {
        if isLost { owed.append(unsynced) }
        unsynced = Work()
    }

    // MARK: Other programs that use the file

    /// How often a transaction tries a file that another program has locked. Once that is known, not for long, as others
    /// wait for the answer.
    var lockAttempts: Int { isLocked ? 1 : settings.lockAttempts }

    mutating func foundLocked(_ path: String, by holder: String) {
        guard !isLocked else { return }
        isLocked = true
        say(.notice(.fileLocked(path: path, holder: holder)))
        say(.planUpkeep)
    }

    mutating func foundUnlocked() {
        guard isLocked else { return }
        isLocked = false
        say(.notice(.fileUnlocked))
    }

    // MARK: The end

    /// All is to be durable now.
    mutating func closing(hasUnwritten: Bool) {
        hasUnsynced = true
        sync(hasUnwritten: hasUnwritten)
    }

    mutating func closed() { state = .closed }
}

extension QueueError {
    /// What the disk does not give is as good as damaged.
    fileprivate var asDamage: QueueError {
        guard case .unreadable(let operation, let message, let code) = self else { return self }
        return .damaged(operation: operation, message: message, code: code)
    }
}
