// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch

/// What the writer does when the disk does not do its part.
extension Writer {
    var unavailable: QueueError {
        .unavailable(reason: isClosed ? "the agent is stopping" : "the disk failed and it is being opened again")
    }

    /// Why no append can be taken at all now.
    func standingRefusal() -> AppendRefusal? {
        if isTampered { return .tampered(path: settings.path) }
        guard settings.minFreeDisk > 0 || isReserveSpent else { return nil }
        let free = freeDiskBytes(at: settings.path) ?? .max
        if free < settings.minFreeDisk || isReserveSpent {
            noticeDisk(full: true, free: free)
            planUpkeep()
            return .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk)
        }
        noticeDisk(full: false, free: free)
        return nil
    }

    /// Turns requests away without a transaction. Their counts reach the file with the next commit.
    func refuse(_ requests: inout [AppendRequest], _ refusal: AppendRefusal) {
        for request in requests {
            for event in request.events { ledger.refused(1, at: position(of: event.destination)) }
        }
        publish()
        Answers.refuse(requests, refusal)
        requests = []
    }

    /// Refuses what was to be appended, and keeps the rest for when the file can be written.
    func postpone(_ work: Work, _ refusal: AppendRefusal) {
        var work = work
        refuse(&work.requests, refusal)
        owed.settlements += work.settlements
        owed.letters += work.letters
        for order in work.orders { order.reply(.failure(unavailable)) }
        planUpkeep()
    }

    /// Nothing of the transaction is stored.
    func failed(_ work: Work, _ error: QueueError) {
        switch error {
        case .full:
            diskFull(work)
        case .damaged where isRepairFresh:
            // What was just written is damaged again: the disk does not hold it. Later, perhaps.
            postpone(work, .storage(message: error.description))
            cannotReopen(error)
        case .damaged where !isTampered:
            if replaceDamagedFile(error) {
                commit(work)
            } else {
                postpone(work, .storage(message: error.description))
            }
        case .unreadable where !isTampered && hasWaitedLong(nil, error):
            // The same as damage, for those rows.
            failed(work, error.asDamage)
        case .unavailable:
            postpone(work, .storage(message: error.description))
        default:
            postpone(work, .storage(message: error.description))
            // A file that was moved away cannot be opened again: what is open is all there is.
            if !isTampered { reopen() }
        }
    }

    /// Intake stops first; deletes get the reserve.
    private func diskFull(_ work: Work) {
        var work = work
        let free = freeDiskBytes(at: settings.path) ?? 0
        noticeDisk(full: true, free: free)
        planUpkeep()
        if !work.requests.isEmpty {
            refuse(&work.requests, .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk))
            if !work.isEmpty { commit(work) }
        } else if !isCarrying, reserve.release() {
            isReserveSpent = true
            commit(work)
        } else {
            postpone(work, .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk))
        }
    }

    func noticeDisk(full: Bool, free: Int64) {
        guard full != isDiskFull else { return }
        isDiskFull = full
        published.setDiskFull(full)
        observer?.noticed(full ? .diskFull(freeBytes: free) : .diskHasRoom)
    }

    func noticeTampering() {
        isTampered = true
        published.setTampered()
        observer?.noticed(.tampered(path: settings.path))
    }

    // MARK: Damage

    /// Any thread. `opening` is the count of the reader's openings, so that one damage is met once.
    func readerMetDamage(_ error: QueueError, opening: Int) {
        queue.async {
            guard self.file != nil, !self.isClosed, !self.isTampered, self.reader.isCurrent(opening) else { return }
            if self.replaceDamagedFile(error) { self.payDebts() }
        }
    }

    /// Any thread. The disk gave events of a destination, or did not.
    func readerRead(_ id: DestinationID, _ error: QueueError?) {
        queue.async {
            guard let error else { return self.couldRead(id) }
            guard self.hasWaitedLong(id, error), self.file != nil, !self.isClosed, !self.isTampered else { return }
            if self.replaceDamagedFile(error) { self.payDebts() }
        }
    }

    /// Takes note that the disk does not give what is wanted for `id`; whether that has lasted too long.
    private func hasWaitedLong(_ id: DestinationID?, _ error: QueueError) -> Bool {
        let now = clocks.uptimeNS()
        if unreadable.isEmpty { observer?.noticed(.unreadable(message: error.description)) }
        let since = unreadable[id] ?? now
        unreadable[id] = since
        return now - since >= settings.readPatience.wholeNanoseconds
    }

    func couldRead(_ id: DestinationID?) {
        guard unreadable.removeValue(forKey: id) != nil, unreadable.isEmpty else { return }
        observer?.noticed(.readableAgain)
    }

    /// Moves the file aside and goes on with a new one that holds what could be read; whether that worked.
    func replaceDamagedFile(_ error: QueueError) -> Bool {
        file = nil
        reader.close()
        carrySource = nil
        do throws(QueueError) {
            let outcome = try Salvage.replace(settings, known: ledger, clock: clockMark(), because: error)
            observer?.noticed(outcome.notice)
            isRepairFresh = true
            // The file may have lost them, and have the rows still.
            owed.append(unsynced)
            unsynced = Work()
            for id in unreadable.keys { couldRead(id) }
        } catch let failure {
            if case .full = failure, reserve.release() {
                isReserveSpent = true
                return replaceDamagedFile(error)
            }
            cannotReopen(failure)
            return false
        }
        if case .failed = reopen() { return false }
        return true
    }

    // MARK: A COMMIT that failed

    /// COMMIT said no, and yet its events may be there after a crash: the frames were written, and only the sync
    /// failed. So nobody is answered before the file has been opened again and looked into.
    func commitFailed(_ undecided: Undecided, _ error: QueueError) {
        observer?.noticed(.commitFailed(message: error.description))
        guard !isTampered else {
            // What is open is all there is. There are no appends in it: at worst it is done already.
            return postpone(undecided.work, .tampered(path: settings.path))
        }
        self.undecided = undecided
        switch reopen() {
        case .stored:
            break
        case .notStored:
            // Decided: another commit may get its serial.
            self.undecided = nil
            var work = undecided.work
            refuse(&work.requests, .storage(message: error.description))
            commit(work)
        case .failed(let message):
            let work = undecided.work
            Answers.refuse(work.requests, .unknown(message: message))
            for order in work.orders { order.reply(.failure(unavailable)) }
            self.undecided?.isAnswered()
        }
    }

    enum Reopened {
        /// The undecided commit is in the file, durable now, and has been reported.
        case stored
        case notStored
        case failed(message: String)
    }

    /// Closes the file and opens it again, and settles what became of the undecided commit.
    @discardableResult
    func reopen() -> Reopened {
        file = nil
        reader.close()
        do throws(QueueError) {
            // What the WAL holds is on the disk when this returns.
            let file = try WriteConnection(settings, clock: clockMark())
            let stored = try file.ledger()
            published.setHeld(stored.held)
            try reader.open(settings)
            self.file = file
            adopt(stored)
        } catch {
            cannotReopen(error)
            return .failed(message: error.description)
        }
        reopenDelayMS = 100
        published.setUnavailable(nil)
        publish()
        observer?.noticed(.reopened)
        planUpkeep()
        planCarryingOver()
        guard let undecided, undecided.serial == ledger.serial else { return .notStored }
        self.undecided = nil
        conclude(undecided.draft)
        return .stored
    }

    /// The file's numbers, and what only this process knows: limits, destinations without events, and which removals
    /// went with the system's cache when a sync failed.
    private func adopt(_ stored: Ledger) {
        let known = ledger
        ledger = stored
        ledger.nextID = max(known.nextID, stored.nextID)
        if stored.serial < known.serial { owed.append(unsynced) }
        unsynced = Work()
        for account in known.accounts where !account.isStored && stored.position(of: account.id) == nil {
            ledger.add(account)
        }
        for position in ledger.accounts.indices {
            ledger.setLimit(registry.entry(ledger.accounts[position].id).maxBytes, at: position)
        }
    }

    private func cannotReopen(_ error: QueueError) {
        file = nil
        reader.close()
        published.setUnavailable(error.description)
        observer?.noticed(.reopenFailed(message: error.description))
        guard !isClosed else { return }
        let delay = reopenDelayMS
        reopenDelayMS = min(reopenDelayMS * 2, 10_000)
        queue.asyncAfter(deadline: .now() + .milliseconds(delay)) { [weak self] in
            guard let self, self.file == nil, !self.isClosed else { return }
            self.retryReopening(error)
        }
    }

    /// Tries again, after a while, what did not work.
    func retryReopening(_ error: QueueError) {
        if case .damaged = error {
            guard replaceDamagedFile(error) else { return }
        } else if case .failed = reopen() {
            return
        }
        if let undecided {
            self.undecided = nil
            owed.append(undecided.work)
        }
        payDebts()
    }

    /// Does again what failed commits left undone. Rows that are gone already count nothing.
    func payDebts() {
        guard file != nil, !owed.isEmpty else { return }
        var work = Work()
        swap(&work, &owed)
        commit(work)
        if owed.isEmpty { couldRead(nil) }
    }
}

extension QueueError {
    /// What the disk does not give is as good as damaged.
    fileprivate var asDamage: QueueError {
        guard case .unreadable(let operation, let message, let code) = self else { return self }
        return .damaged(operation: operation, message: message, code: code)
    }
}

/// A commit of which nobody knows yet whether it is stored.
struct Undecided {
    private(set) var work: Work
    private(set) var draft: Draft
    /// What the file says if it is stored.
    let serial: Int64

    init(work: Work, draft: Draft, serial: Int64) {
        self.work = work
        self.draft = draft
        self.serial = serial
    }

    /// Its senders were told that nobody knows; delivery will be told if it is there.
    mutating func isAnswered() {
        draft.forgetAnswers()
        work.requests = []
        work.orders = []
    }
}
