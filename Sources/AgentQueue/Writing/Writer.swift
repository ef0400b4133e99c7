// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch

/// Changes the file: one thread at a time, one transaction for all the work that waits.
// SAFETY: everything that varies is touched on `queue` only, as each entry point checks.
final class Writer: @unchecked Sendable {
    /// A group of appends is closed at this many bytes.
    static let groupBytes: Int64 = 4 << 20

    let queue = DispatchQueue(label: "agentd.queue.writer")
    let mailbox = Mailbox()
    let registry: Registry
    let reader: Reader
    let published: PublishedState
    let clocks: QueueClocks
    let observer: (any QueueObserver)?
    let metrics: QueueMetrics

    /// Decides; see there for what it knows. Not checked for overlapping access: see `ledger`.
    @exclusivity(unchecked) var machine: WriterMachine
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
    var fullness = Fullness()
    var carrying = Carrying()
    var upkeepPlan = UpkeepPlan()
    /// Up to where events were removed undelivered, since the start.
    var droppedThrough: [DestinationID: EventID] = [:]
    /// As of the last upkeep.
    var isWallTrusted: Bool
    /// Of the request at hand; kept for its storage.
    @exclusivity(unchecked) var charges: [Charge] = []
    /// Where in `charges` a destination is, by its place in the ledger.
    @exclusivity(unchecked) var chargePlaces: [Int: Int] = [:]

    init(
        settings: QueueSettings,
        opened: OpenedFile,
        lock: consuming QueueLock,
        clocks: QueueClocks,
        reader: Reader,
        observer: (any QueueObserver)?,
        metrics: QueueMetrics
    ) {
        machine = WriterMachine(settings: settings, isReserveSpent: opened.isReserveSpent)
        self.lock = consume lock
        self.clocks = clocks
        self.reader = reader
        self.observer = observer
        self.metrics = metrics
        file = opened.file
        ledger = opened.ledger
        clock = opened.clock
        registry = Registry(opened.ledger)
        published = PublishedState(maxBytes: settings.maxBytes)
        isWallTrusted = clocks.isWallTrusted()
        reserve = DiskReserve(queuePath: settings.path, bytes: settings.reserveBytes)
        published.set(&ledger)
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
        upkeepPlan.isIdle = false
        commit(backlog.takeGroup(bytes: Self.groupBytes))
        if !backlog.isEmpty, !machine.isClosed { queue.async { self.drain() } }
    }

    /// Commits all that waits. On `queue`.
    func drainAll() {
        dispatchPrecondition(condition: .onQueue(queue))
        backlog.append(mailbox.takeAll())
        while !backlog.isEmpty { commit(backlog.takeGroup(bytes: Self.groupBytes)) }
    }

    // MARK: What the machine says

    /// Does the work in one transaction and answers for it, whatever happens.
    func commit(_ work: Work) {
        bring(work)
        perform()
    }

    /// Does all that the machine wants done.
    func perform() {
        while let action = machine.next() { perform(action) }
    }

    private func bring(_ work: Work) {
        var work = work
        holdBack(&work)
        guard !work.isEmpty else { return }
        let isWatching = machine.watchesDisk && work.wantsRoom
        machine.brought(work, freeBytes: isWatching ? freeDiskBytes(at: settings.path) : nil)
    }

    private func perform(_ action: WriterAction) {
        switch action {
        case .transact(let transaction): transact(transaction)
        case .bring(let work): bring(work)
        case .conclude(let draft):
            conclude(draft)
            restartLog()
            planUpkeep()
        case .report(let draft): conclude(draft)
        case .refuse(let requests, let orders, let refusal): refuse(requests, orders, refusal)
        case .leaveOpen(let requests, let refusal): Answers.refuse(requests, refusal)
        case .count(let requests, let refusal):
            for request in requests { turnAway(request, refusal) }
            publish()
        case .reject(let orders, let error): for order in orders { order.reply(.failure(error)) }
        case .reopen: reopen()
        case .replace(let damage): replaceFile(because: damage)
        case .close(let error, let retryMS): stayClosed(error, retryMS: retryMS)
        case .releaseReserve(let use): releaseReserve(for: use)
        case .restartLog(let frames): restartLog(atLeast: frames)
        case .planUpkeep: planUpkeep()
        case .setDiskFull(let isFull): published.setDiskFull(isFull)
        case .setTampered: published.setTampered()
        case .tellLogPinned: tellLogPinned()
        case .notice(let notice): observer?.noticed(notice)
        }
    }

    // MARK: One transaction

    /// A commit that is not synced survives a crash of the agent, and within a second a power cut.
    ///
    /// What failed is handled by the machine rather than where it happened, so that nothing holds on to the file when it
    /// has to be closed.
    private func transact(_ transaction: Transaction) {
        ledger.begin()
        ledger.serial += 1
        let began = clocks.uptimeNS()
        let outcome = attempt(transaction, serial: ledger.serial)
        measure(outcome, since: began)
        if case .done = outcome { ledger.keep() } else { ledger.takeBack() }
        machine.ended(transaction, outcome)
    }

    private func measure(_ outcome: TransactionOutcome, since beganNS: Int64) {
        guard case .done(let draft) = outcome else { return metrics.commitFailures.add() }
        guard draft.changesFile else { return }
        metrics.commitDuration.record(clocks.uptimeNS() - beganNS)
        metrics.commitRows.record(Int64(draft.rows))
        for age in draft.deliveryAgesMS { metrics.deliveryAge.record(.milliseconds(age)) }
    }

    private func attempt(_ transaction: Transaction, serial: Int64) -> TransactionOutcome {
        guard let file else { return failure(machine.unavailable) }
        var draft = Draft()
        do throws(QueueError) {
            try begin(file, synced: transaction.isSynced)
            try fill(&draft, transaction, file)
            draft.finish()
            guard draft.changesFile else {
                // Nothing but refusals: their counts wait for the next commit.
                try file.rollback()
                return .done(draft)
            }
            guard machine.isTampered || file.isInPlace else {
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
            return .undecided(draft, serial: serial, error)
        }
        return .done(draft)
    }

    private func rolledBack(_ file: WriteConnection, _ error: QueueError) -> TransactionOutcome {
        do throws(QueueError) { try file.rollback() } catch let error { return failure(error) }
        return failure(error)
    }

    private func failure(_ error: QueueError) -> TransactionOutcome {
        var free: Int64 = 0
        if case .full = error { free = freeDiskBytes(at: settings.path) ?? 0 }
        return .failed(error, freeBytes: free, nowNS: clocks.uptimeNS())
    }

    private func fill(_ draft: inout Draft, _ transaction: Transaction, _ file: WriteConnection) throws(QueueError) {
        switch transaction.job {
        case .work: try fill(&draft, with: transaction.work, file)
        case .sync: draft.touch()
        case .expire: try expireSlice(&draft, file)
        case .carry: try carrySlice(&draft, file)
        }
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
        draft.sendNotices()
        draft.sendReplies()
        if draft.changesEvents || !draft.commit.awaited.isEmpty { observer?.committed(draft.commit) }
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

    func publish() { published.update(&ledger) }

    // MARK: What the machine knows

    /// Copied: where each event asks, `machine.settings` is read in place.
    var settings: QueueSettings { machine.settings }
}
