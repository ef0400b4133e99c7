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

    /// Moves the WAL into the database when it is long enough. What follows from that is the machine's to say.
    func restartLog(atLeast frames: Int? = nil) {
        guard let length = file?.walFrames, length >= frames ?? machine.log.due else { return }
        do throws(QueueError) {
            // Our reader is brief. Another program's may not be: it is not waited for again, nor tried at each commit.
            let began = clocks.uptimeNS()
            let isDone = try file?.checkpoint(SQLITE_CHECKPOINT_RESTART, waits: !machine.log.isPinned) ?? false
            metrics.checkpointDuration.record(clocks.uptimeNS() - began)
            (isDone ? metrics.checkpoints : metrics.checkpointsPut).add()
            machine.logRestarted(isDone, frames: length)
        } catch {
            machine.checkpointFailed(error, atLeast: frames, nowNS: clocks.uptimeNS())
        }
    }

    func planUpkeep() {
        guard !upkeepPlan.isPlanned, !machine.isClosed else { return }
        upkeepPlan.isPlanned = true
        let delay = Int(machine.settings.upkeepDelay.wholeMilliseconds)
        queue.asyncAfter(deadline: .now() + .milliseconds(delay)) { [weak self] in
            guard let self else { return }
            self.upkeepPlan.isPlanned = false
            if self.upkeep() { self.planUpkeep() }
        }
    }

    /// Whether there is more to do later. On `queue`.
    func upkeep() -> Bool {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !machine.isClosed else { return false }
        isWallTrusted = clocks.isWallTrusted()
        let wasIdle = upkeepPlan.isIdle
        upkeepPlan.isIdle = true
        payDebts()
        planCarryingOver()
        expire()
        sync()
        restoreReserve()
        lookForRoom()
        reviewFullness()
        lookForLock()
        if machine.log.isPinned {
            restartLog(atLeast: 1)
            perform()
        }
        let mayVacuum = wasIdle && vacuum()
        let mayExpire = settings.maxAge != nil && ledger.accounts.contains { $0.head != nil }
        return !wasIdle || mayVacuum || mayExpire || machine.needsUpkeep || !ledger.carryOvers.isEmpty
            || !fullness.isEmpty
    }

    /// Makes durable what was left to the operating system, so that a power cut repeats a second of it at most.
    func sync() {
        machine.sync(hasUnwritten: ledger.hasUnwritten)
        perform()
    }

    /// Removes what is older than `queue.max_age`, oldest first, a slice at a time.
    func expire() {
        guard let cutoff = expiryCutoff, file != nil, isAnythingDue(cutoff) else { return }
        // A power cut that takes it back only makes it be done again.
        machine.slice(.expire)
        perform()
        if file != nil, isAnythingDue(cutoff) { queue.async { [weak self] in self?.expire() } }
    }

    private var expiryCutoff: Int64? { settings.maxAge.map { agentNow - $0.wholeMilliseconds } }

    private func isDue(_ account: Ledger.Account, _ cutoff: Int64) -> Bool {
        account.head.map { $0.acceptedMS <= cutoff } ?? false
    }

    private func isAnythingDue(_ cutoff: Int64) -> Bool { ledger.accounts.contains { isDue($0, cutoff) } }

    func expireSlice(_ draft: inout Draft, _ file: WriteConnection) throws(QueueError) {
        guard let cutoff = expiryCutoff else { return }
        var left = Self.expirySlice
        for position in ledger.accounts.indices where left > 0 && isDue(ledger.accounts[position], cutoff) {
            let id = ledger.accounts[position].id
            let table = file.table(id)
            let rows = try table.removeOldest(acceptedThrough: cutoff, limit: left)
            left -= rows.count
            ledger.removed(rows, cause: .expired, at: position)
            try updateHead(at: position, table, after: rows)
            draft.remove(rows, of: id, at: position, cause: .expired)
            droppedThrough[id] = rows.through
        }
    }

    func reconfigure(_ new: QueueSettings) {
        dispatchPrecondition(condition: .onQueue(queue))
        machine.settings.maxBytes = new.maxBytes
        machine.settings.minFreeDisk = new.minFreeDisk
        machine.settings.whenFull = new.whenFull
        machine.settings.maxAge = new.maxAge
        machine.settings.durability = new.durability
        machine.settings.maxDeadLetters = new.maxDeadLetters
        machine.settings.maxDeadLetterBytes = new.maxDeadLetterBytes
        published.setMaxBytes(new.maxBytes)
        planUpkeep()
    }

    func restoreReserve() {
        guard !reserve.isHeld, reserve.bytes > 0, let free = freeDiskBytes(at: settings.path) else { return }
        guard machine.mayReserve(reserve.bytes, freeBytes: free) else { return }
        do throws(QueueError) {
            try reserve.take()
            machine.reserveTaken(freeBytes: free)
            perform()
        } catch {
            observer?.noticed(.reserveMissing(message: error.description))
        }
    }

    /// Says by itself that the disk is full, or has room again: who was told that it is full may not ask again before.
    func lookForRoom() {
        guard let free = freeDiskBytes(at: settings.path) else { return }
        machine.looked(freeBytes: free) { reserve.hasRoom(for: Int64(Self.groupBytes)) }
        perform()
    }

    /// Gives free pages back to the file system, slice by slice as long as there is no other work; whether there are
    /// more. When there are none, the WAL is emptied too, which makes the next start quick.
    private func vacuum() -> Bool {
        guard !machine.isTampered, file != nil else { return false }
        do throws(QueueError) {
            let free = try file?.freePages() ?? 0
            guard free > Self.keptFreePages else {
                restartLog(atLeast: 1)
                perform()
                return false
            }
            try file?.vacuum(pages: min(Self.vacuumSlice, Int(free - Self.keptFreePages)))
        } catch {
            let free = freeDiskBytes(at: settings.path) ?? 0
            machine.failed(error, freeBytes: free, nowNS: clocks.uptimeNS())
            perform()
            return false
        }
        restartLog()
        perform()
        queue.async { [weak self] in
            guard let self, self.upkeepPlan.isIdle, !self.machine.isClosed else { return }
            _ = self.vacuum()
        }
        return true
    }

    // MARK: The end

    /// Commits what waits, makes it durable, and closes the file. On `queue`.
    func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !machine.isClosed else { return }
        drainAll()
        payDebts()
        machine.closing(hasUnwritten: ledger.hasUnwritten)
        perform()
        let isTampered = machine.isTampered
        machine.closed()
        reader.close()
        carrying.source = nil
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

/// When upkeep comes, and what it knows of the time between.
struct UpkeepPlan {
    var isPlanned = false
    /// Nothing was brought since the last upkeep.
    var isIdle = true
}
