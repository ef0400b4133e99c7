// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
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

    /// The transaction failed before its COMMIT, or for lack of room within: nothing of it is stored.
    func failed(_ work: Work, _ error: QueueError, _ file: WriteConnection, before: Ledger) {
        var rolledBack = true
        do throws(QueueError) { try file.rollback() } catch { rolledBack = false }
        ledger = before
        switch error {
        case .full where rolledBack:
            diskFull(work)
        case .damaged where !isTampered:
            if replaceDamagedFile(error) {
                commit(work)
            } else {
                postpone(work, .storage(message: error.description))
            }
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
        if !work.requests.isEmpty {
            refuse(&work.requests, .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk))
            if !work.isEmpty { commit(work) }
        } else if reserve.release() {
            isReserveSpent = true
            commit(work)
        } else {
            postpone(work, .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk))
        }
    }

    func noticeDisk(full: Bool, free: Int64) {
        guard full != isDiskFull else { return }
        isDiskFull = full
        observer?.noticed(full ? .diskFull(freeBytes: free) : .diskHasRoom)
    }

    func noticeTampering() {
        isTampered = true
        published.setTampered()
        observer?.noticed(.tampered(path: settings.path))
    }

    // MARK: Damage

    /// Any thread.
    func readerMetDamage(_ error: QueueError) {
        queue.async {
            guard !self.isClosed, !self.isTampered, self.file != nil else { return }
            _ = self.replaceDamagedFile(error)
        }
    }

    /// Moves the file aside and goes on with a new one that holds what could be read; whether that worked.
    func replaceDamagedFile(_ error: QueueError) -> Bool {
        file = nil
        reader.close()
        let outcome: Salvage.Outcome
        do throws(QueueError) {
            outcome = try Salvage.replace(settings, known: ledger, clock: clockMark(), because: error)
        } catch {
            published.setUnavailable(error.description)
            observer?.noticed(.reopenFailed(message: error.description))
            planReopen()
            return false
        }
        observer?.noticed(outcome.notice)
        if case .failed = reopen() { return false }
        return true
    }

    // MARK: A COMMIT that failed

    /// COMMIT said no, and yet its events may be there after a crash: the frames were written, and only the sync
    /// failed. So nobody is answered before the file has been opened again and looked into.
    func commitFailed(_ work: Work, _ draft: Draft, _ error: QueueError) {
        observer?.noticed(.commitFailed(message: error.description))
        undecided = (draft, ledger.serial)
        guard !isTampered else {
            // The file cannot be opened again under its name. The transaction is rolled back as far as this
            // process can see; it was a settlement, so at worst it is done already.
            undecided = nil
            return postpone(work, .tampered(path: settings.path))
        }
        switch reopen() {
        case .stored:
            break
        case .notStored:
            var work = work
            refuse(&work.requests, .storage(message: error.description))
            if !work.isEmpty { commit(work) }
        case .failed(let message):
            var work = work
            Answers.refuse(work.requests, .unknown(message: message))
            work.requests = []
            for order in work.orders { order.reply(.failure(unavailable)) }
            work.orders = []
            owed.append(work)
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
            let file = try WriteConnection(settings, clock: clockMark())
            var stored = try file.ledger()
            // What was read may be in the kernel's cache only, marked clean after a sync that failed. Copying it
            // into the database file, with syncs of its own, puts it on the disk.
            guard try file.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) else {
                throw .unavailable(reason: "another program reads it")
            }
            for account in ledger.accounts where !account.isStored && stored.position(of: account.id) == nil {
                stored.add(account)
            }
            for position in stored.accounts.indices {
                stored.setLimit(registry.entry(stored.accounts[position].id).maxBytes, at: position)
            }
            try reader.open(settings)
            self.file = file
            ledger = stored
            reopenDelayMS = 100
            published.setUnavailable(nil)
            publish()
            observer?.noticed(.reopened)
        } catch {
            file = nil
            published.setUnavailable(error.description)
            observer?.noticed(.reopenFailed(message: error.description))
            planReopen()
            return .failed(message: error.description)
        }
        defer { undecided = nil }
        guard let undecided, undecided.serial == ledger.serial else { return .notStored }
        conclude(undecided.draft)
        return .stored
    }

    private func planReopen() {
        guard !isClosed else { return }
        let delay = reopenDelayMS
        reopenDelayMS = min(reopenDelayMS * 2, 10_000)
        queue.asyncAfter(deadline: .now() + .milliseconds(delay)) { [weak self] in
            guard let self, self.file == nil, !self.isClosed else { return }
            self.retryReopening()
        }
    }

    /// The senders of an undecided commit were told that nobody knows; delivery is told now, if it is there.
    private func retryReopening() {
        undecided?.draft.forgetAnswers()
        if case .failed = reopen() { return }
        payDebts()
    }

    /// Does again what failed commits left undone. Rows that are gone already count nothing.
    func payDebts() {
        guard file != nil, !owed.isEmpty else { return }
        var work = Work()
        swap(&work, &owed)
        commit(work)
    }
}
