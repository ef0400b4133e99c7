// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// What the writer does where it meets a limit, or another program.
extension Writer {
    // MARK: Room

    func noticeFull(_ refusal: AppendRefusal, bytes: Int64) {
        guard let notice = fullness.refused(refusal, bytes: bytes, ledger, nowNS: clocks.uptimeNS()) else { return }
        observer?.noticed(notice)
        planUpkeep()
    }

    func reviewFullness() {
        guard !fullness.isEmpty else { return }
        for notice in fullness.review(ledger, maxBytes: machine.settings.maxBytes, nowNS: clocks.uptimeNS()) {
            observer?.noticed(notice)
        }
    }

    // MARK: Other programs that use the file

    /// Begins a transaction. Where another program has the file locked, waits for it.
    func begin(_ file: WriteConnection, synced: Bool) throws(QueueError) {
        var attempts = machine.lockAttempts
        while true {
            do throws(QueueError) {
                try file.begin(synced: synced)
                return machine.foundUnlocked()
            } catch {
                guard case .busy(let path, let holder) = error else { throw error }
                attempts -= 1
                guard attempts > 0 else {
                    machine.foundLocked(path, by: holder)
                    throw error
                }
            }
        }
    }

    /// Finds out by itself that the lock is gone: who was told of it may not ask again before.
    func lookForLock() {
        guard machine.isLocked, let file else { return }
        do throws(QueueError) {
            try begin(file, synced: true)
            try file.rollback()
        } catch {
            // Tried again by the next upkeep, or met by the next commit.
        }
        perform()
    }

    func tellLogPinned() {
        let bytes = FileIdentity(settings.path + "-wal")?.size ?? 0
        observer?.noticed(.logPinned(path: settings.path, bytes: bytes, holder: lockHolders(of: settings.path)))
    }
}
