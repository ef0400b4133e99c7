// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Dispatch

/// What the writer does between commits, and when nobody asks anything of it.
extension Writer {
    /// Free pages that are kept for the next events, in pages of 4 KiB.
    private static let keptFreePages: Int64 = 256
    /// Pages given back in one transaction: a few milliseconds.
    private static let vacuumSlice = 128
    private static let expirySlice = 2000

    /// Moves the WAL into the database when it is long enough.
    func restartLog(atLeast frames: Int? = nil) {
        guard let length = file?.walFrames, length >= frames ?? restartFrames else { return }
        do throws(QueueError) {
            let isDone = try file?.checkpoint(SQLITE_CHECKPOINT_RESTART) ?? false
            // Our reader is brief. Another program's may not be: trying takes the busy timeout, so not at each commit.
            restartFrames = isDone ? settings.walFrames : length + settings.walFrames / 4
        } catch {
            // What is in the WAL stays there, durable.
            if case .full = error, reserve.release() {
                isReserveSpent = true
                noticeDisk(full: true, free: freeDiskBytes(at: settings.path) ?? 0)
                return restartLog(atLeast: frames)
            }
            failed(Work(), error)
        }
    }

    func planUpkeep() {
        guard !isUpkeepPlanned, !isClosed else { return }
        isUpkeepPlanned = true
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(settings.upkeepDelay.wholeMilliseconds))) { [weak self] in
            guard let self else { return }
            self.isUpkeepPlanned = false
            if self.upkeep() { self.planUpkeep() }
        }
    }

    /// Whether there is more to do later. On `queue`.
    func upkeep() -> Bool {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed else { return false }
        isWallTrusted = clocks.isWallTrusted()
        let wasIdle = isIdle
        isIdle = true
        payDebts()
        planCarryingOver()
        expire()
        sync()
        restoreReserve()
        lookForRoom()
        let mayVacuum = wasIdle && vacuum()
        let mayExpire = settings.maxAge != nil && ledger.accounts.contains { $0.head != nil }
        return !wasIdle || mayVacuum || mayExpire || isReserveSpent || !owed.isEmpty || isDiskFull
            || !ledger.carryOvers.isEmpty
    }

    /// Makes durable what was left to the operating system, so that a power cut repeats a second of it at most.
    func sync() {
        let hasCounts = ledger.accounts.contains { $0.isTouched && $0.isStored }
        guard file != nil, hasUnsynced || hasCounts else { return }
        commit(Work(), synced: true) { (draft, _) throws(QueueError) in draft.touch() }
    }

    /// Removes what is older than `queue.max_age`, oldest first, a slice at a time.
    func expire() {
        guard let maxAge = settings.maxAge, file != nil else { return }
        let cutoff = agentNow - maxAge.wholeMilliseconds
        let isDue = { (account: Ledger.Account) in account.head.map { $0.acceptedMS <= cutoff } ?? false }
        guard ledger.accounts.contains(where: isDue) else { return }
        // A power cut that takes it back only makes it be done again.
        commit(Work(), synced: false) { (draft, file) throws(QueueError) in
            for position in ledger.accounts.indices where isDue(ledger.accounts[position]) {
                let id = ledger.accounts[position].id
                let table = try file.table(id)
                let rows = try table.removeOldest(acceptedThrough: cutoff, limit: Self.expirySlice)
                ledger.removed(rows, cause: .expired, at: position)
                try updateHead(at: position, table, after: rows)
                draft.remove(rows, of: id, cause: .expired)
            }
        }
        if file != nil, ledger.accounts.contains(where: isDue) { queue.async { [weak self] in self?.expire() } }
    }

    func reconfigure(_ new: QueueSettings) {
        dispatchPrecondition(condition: .onQueue(queue))
        settings.maxBytes = new.maxBytes
        settings.minFreeDisk = new.minFreeDisk
        settings.whenFull = new.whenFull
        settings.maxAge = new.maxAge
        settings.durability = new.durability
        settings.maxDeadLetters = new.maxDeadLetters
        settings.maxDeadLetterBytes = new.maxDeadLetterBytes
        published.setMaxBytes(new.maxBytes)
        planUpkeep()
    }

    func restoreReserve() {
        guard !reserve.isHeld, reserve.bytes > 0, let free = freeDiskBytes(at: settings.path) else { return }
        guard free >= settings.minFreeDisk + reserve.bytes else { return }
        do throws(QueueError) {
            try reserve.take()
            isReserveSpent = false
            noticeDisk(full: false, free: free)
        } catch {
            observer?.noticed(.reserveMissing(message: error.description))
        }
    }

    /// Says by itself that the disk is full, or has room again: who was told that it is full may not ask again before.
    func lookForRoom() {
        guard let free = freeDiskBytes(at: settings.path) else { return }
        if isReserveSpent || free < settings.minFreeDisk {
            noticeDisk(full: true, free: free)
        } else if isDiskFull, reserve.hasRoom(for: Int64(Self.groupBytes)) {
            noticeDisk(full: false, free: free)
        }
    }

    /// Gives free pages back to the file system, slice by slice as long as there is no other work; whether there are
    /// more. When there are none, the WAL is emptied too, which makes the next start quick.
    private func vacuum() -> Bool {
        guard !isTampered, file != nil else { return false }
        do throws(QueueError) {
            let free = try file?.freePages() ?? 0
            guard free > Self.keptFreePages else {
                restartLog(atLeast: 1)
                return false
            }
            try file?.vacuum(pages: min(Self.vacuumSlice, Int(free - Self.keptFreePages)))
        } catch {
            failed(Work(), error)
            return false
        }
        restartLog()
        queue.async { [weak self] in
            guard let self, self.isIdle, !self.isClosed else { return }
            _ = self.vacuum()
        }
        return true
    }

    // MARK: The end

    /// Commits what waits, makes it durable, and closes the file. On `queue`.
    func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed else { return }
        drainAll()
        payDebts()
        hasUnsynced = true
        sync()
        isClosed = true
        reader.close()
        carrySource = nil
        if let file {
            // The WAL is in order either way; this only makes the next start quicker. Of a file that was moved away,
            // it must not be taken for the WAL of another.
            do throws(QueueError) {
                if isTampered { _ = try file.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) } else { try file.closeCleanly() }
            } catch {
                observer?.noticed(.commitFailed(message: error.description))
            }
        }
        file = nil
        lock = nil
        published.setUnavailable("the agent has stopped")
    }
}
