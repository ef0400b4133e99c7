// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch

/// Changes the file: one thread at a time, one transaction for all the work that waits.
// SAFETY: everything that varies is touched on `queue` only, as each entry point checks.
final class Writer: @unchecked Sendable {
    /// A group of appends is closed at this many bytes.
    static let groupBytes: Int64 = 4 << 20

    let queue = DispatchQueue(label: "agentd.queue.writer", qos: .userInitiated)
    let mailbox = Mailbox()
    let registry: Registry
    let reader: Reader
    let published: PublishedState
    let clocks: QueueClocks
    let observer: (any QueueObserver)?

    var settings: QueueSettings
    var lock: QueueLock?
    /// `nil` while the disk does not let it be opened, and after the end.
    var file: WriteConnection?
    // Not checked for overlapping access, which each event would pay for several times: only the writer's queue touches
    // it, and what changes it calls nothing that comes back to it. So with `charges`.
    @exclusivity(unchecked) var ledger: Ledger
    let clock: AgentClock
    var reserve: DiskReserve
    /// Taken off the mailbox, and not yet committed.
    var backlog = Work()
    /// Settlements and dead letters of commits that failed: done again when the file lets them.
    var owed = Work()
    var undecided: Undecided?
    var isTampered = false
    var isDiskFull = false
    var isReserveSpent = false
    /// The length of the WAL, in frames, at which it is started anew.
    var restartFrames: Int
    /// A damaged file was replaced, and nothing was committed to the new one yet.
    var isRepairFresh = false
    /// Since when the disk does not give what is in the file, in nanoseconds since boot: by destination, and for
    /// the writer itself.
    var unreadable: [DestinationID?: Int64] = [:]
    /// What deletes rows that are still to be carried over.
    var heldBack = Work()
    var carrySource: CarrySource?
    var carrying = CarryProgress()
    var isCarryingPlanned = false
    /// The transaction at hand carries rows over.
    var isCarrying = false
    var isClosed = false
    /// Whether a commit was left to the operating system to write.
    var hasUnsynced = false
    /// Settlements and dead letters of those commits: done again where the system loses them.
    var unsynced = Work()
    var isUpkeepPlanned = false
    /// As of the last upkeep.
    var isWallTrusted: Bool
    var isIdle = true
    var reopenDelayMS = 100
    /// Of the request at hand; kept for its storage.
    @exclusivity(unchecked) var charges: [Charge] = []

    init(
        settings: QueueSettings,
        opened: OpenedFile,
        lock: consuming QueueLock,
        clocks: QueueClocks,
        reader: Reader,
        observer: (any QueueObserver)?
    ) {
        self.settings = settings
        self.lock = consume lock
        self.clocks = clocks
        self.reader = reader
        self.observer = observer
        file = opened.file
        ledger = opened.ledger
        clock = opened.clock
        registry = Registry(opened.ledger)
        published = PublishedState(opened.ledger, maxBytes: settings.maxBytes)
        isWallTrusted = clocks.isWallTrusted()
        restartFrames = settings.walFrames
        reserve = DiskReserve(queuePath: settings.path, bytes: settings.reserveBytes)
        isReserveSpent = opened.isReserveSpent
    }

    // MARK: Work comes in

    /// Any thread.
    func add(_ change: (inout Work) -> Void, orElse closed: () -> Void) {
        switch mailbox.add(change) {
        case .wake: queue.async { self.drain() }
        case .added: break
        case .closed: closed()
        }
    }

    /// Commits one group, and comes again for the rest, so that upkeep gets its turns in between.
    private func drain() {
        dispatchPrecondition(condition: .onQueue(queue))
        backlog.append(mailbox.takeAll())
        guard !backlog.isEmpty else { return }
        isIdle = false
        commit(backlog.takeGroup(bytes: Self.groupBytes))
        if !backlog.isEmpty, !isClosed { queue.async { self.drain() } }
    }

    /// Commits all that waits. On `queue`.
    func drainAll() {
        dispatchPrecondition(condition: .onQueue(queue))
        backlog.append(mailbox.takeAll())
        while !backlog.isEmpty { commit(backlog.takeGroup(bytes: Self.groupBytes)) }
    }

    // MARK: One transaction

    /// Does the work in one transaction and answers for it, whatever happens.
    func commit(_ work: Work) {
        var work = work
        holdBack(&work)
        if !work.requests.isEmpty, let refusal = standingRefusal() { refuse(&work.requests, refusal) }
        guard !work.isEmpty else { return }
        commit(work, synced: work.wantsSync && settings.durability == .full) { (draft, file) throws(QueueError) in
            try self.fill(&draft, with: work, file)
        }
    }

    /// Runs `fill` in a transaction; `work` is what is owed to others by it. A commit that is not synced survives a
    /// crash of the agent, and within a second a power cut.
    ///
    /// What failed is handled here rather than where it happened, so that nothing holds on to the file when it has to
    /// be closed.
    func commit(_ work: Work, synced: Bool, _ fill: (inout Draft, WriteConnection) throws(QueueError) -> Void) {
        let before = ledger
        ledger.serial += 1
        let serial = ledger.serial
        switch attempt(synced: synced, fill) {
        case .done(let draft):
            if draft.changesFile {
                hasUnsynced = !synced
                unsynced.remember(work, unless: synced)
                isRepairFresh = false
            }
            if !work.requests.isEmpty, draft.changesFile { noticeDisk(full: false, free: 0) }
            conclude(draft)
            restartLog()
            planUpkeep()
        case .tampered:
            ledger = before
            noticeTampering()
            commit(work)
        case .failed(let error):
            ledger = before
            failed(work, error)
        case .undecided(let draft, let error):
            ledger = before
            commitFailed(Undecided(work: work, draft: draft, serial: serial), error)
        }
    }

    private enum Attempt {
        case done(Draft)
        /// Rolled back: the file is not where it was.
        case tampered
        /// Rolled back: nothing of it is stored.
        case failed(QueueError)
        /// COMMIT failed: it may be stored or not.
        case undecided(Draft, QueueError)
    }

    private func attempt(synced: Bool, _ fill: (inout Draft, WriteConnection) throws(QueueError) -> Void) -> Attempt {
        guard let file else { return .failed(unavailable) }
        var draft = Draft()
        do throws(QueueError) {
            try file.begin(synced: synced)
            try fill(&draft, file)
            draft.finish()
            guard draft.changesFile else {
                // Nothing but refusals: their counts wait for the next commit.
                try file.rollback()
                return .done(draft)
            }
            guard isTampered || file.isInPlace else {
                try file.rollback()
                return .tampered
            }
            try file.write(&ledger, clock: clockMark())
        } catch {
            return rolledBack(file, error)
        }
        do throws(QueueError) {
            try file.commit()
        } catch {
            // A frame that found no room is not in the WAL, and without the last one the others do not count.
            if case .full = error { return rolledBack(file, error) }
            return .undecided(draft, error)
        }
        return .done(draft)
    }

    private func rolledBack(_ file: WriteConnection, _ error: QueueError) -> Attempt {
        do throws(QueueError) { try file.rollback() } catch let failure { return .failed(failure) }
        return .failed(error)
    }

    private func fill(_ draft: inout Draft, with work: Work, _ file: WriteConnection) throws(QueueError) {
        for settlement in work.settlements { try settle(settlement, &draft, file) }
        for letter in work.letters { try bury(letter, &draft, file) }
        if !work.letters.isEmpty { try enforceDeadLetterLimit(file) }
        for order in work.orders { try carryOut(order, &draft, file) }
        guard !work.requests.isEmpty else { return }
        let now = agentNow
        for request in work.requests { try append(request, now, &draft, file) }
    }

    /// Tells everybody. The answers go first, so that nobody hears of a delivery before hearing of the append.
    func conclude(_ draft: Draft) {
        publish()
        draft.answers.send()
        draft.sendReplies()
        if draft.changesEvents { observer?.committed(draft.commit) }
    }

    // MARK: Time

    var agentNow: Int64 { clock.now(uptimeNS: clocks.uptimeNS()) }

    func clockMark() -> AgentClock.Mark {
        let uptime = clocks.uptimeNS()
        return AgentClock.Mark(
            agentMS: clock.now(uptimeNS: uptime),
            wallMS: clocks.wallMS(),
            isWallTrusted: isWallTrusted,
            boot: clocks.boot,
            uptimeNS: uptime
        )
    }

    func publish() { published.set(ledger) }
}
