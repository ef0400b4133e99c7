// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch

/// What the writer does, when the machine says so, where the disk does not do its part.
extension Writer {
    /// Turns requests and orders away without a transaction. Counts reach the file with the next commit.
    func refuse(_ requests: [AppendRequest], _ orders: [Order], _ refusal: AppendRefusal) {
        for request in requests { turnAway(request, refusal) }
        publish()
        Answers.refuse(requests, refusal)
        for order in orders {
            order.reply(
                refusal.isForWantOfRoom
                    ? .success(Order.Outcome(refusal: refusal)) : .failure(.unavailable(reason: "\(refusal)"))
            )
        }
    }

    /// Does again what failed commits left undone.
    func payDebts() {
        guard machine.payDebts() else { return }
        perform()
        machine.debtsTried()
        perform()
    }

    // MARK: What the reader meets

    /// Any thread. `opening` is the count of the reader's openings, so that one damage is met once.
    func readerMetDamage(_ error: QueueError, opening: Int) {
        queue.async { if self.reader.isCurrent(opening) { self.replaceDamagedFile(error) } }
    }

    /// Any thread. The disk gave events of a destination, or did not.
    func readerRead(_ id: DestinationID, _ error: QueueError?) {
        queue.async {
            guard let error else {
                self.machine.couldRead(id)
                return self.perform()
            }
            let isMended = self.machine.couldNotRead(id, error, nowNS: self.clocks.uptimeNS())
            self.perform()
            if isMended { self.payDebts() }
        }
    }

    /// Moves the file aside and goes on with a new one that holds what could be read; whether that worked.
    @discardableResult
    func replaceDamagedFile(_ error: QueueError) -> Bool {
        guard machine.damaged(error) else { return false }
        perform()
        payDebts()
        return machine.isUsable
    }

    /// Tries again, after a while, what did not work.
    func retry() {
        machine.retryDue()
        perform()
        payDebts()
    }

    // MARK: The file

    private func closeFile() {
        file = nil
        reader.close()
    }

    /// Closes the file and opens it again.
    func reopen() {
        closeFile()
        let known = ledger.serial
        do throws(QueueError) {
            // What the WAL holds is on the disk when this returns.
            let file = try WriteConnection(settings, clock: clockMark())
            let stored = try file.ledger()
            try reader.open(settings)
            self.file = file
            adopt(stored)
        } catch {
            return machine.reopenFailed(error)
        }
        published.setUnavailable(nil)
        publish()
        machine.reopened(serial: ledger.serial, known: known)
        planCarryingOver()
    }

    /// The file's numbers, and what only this process knows: limits, and destinations without events.
    private func adopt(_ stored: Ledger) {
        let known = ledger
        ledger = stored
        ledger.nextID = max(known.nextID, stored.nextID)
        for account in known.accounts {
            if let position = ledger.position(of: account.id) {
                // Refusals reach the file with the next commit only.
                let missing = account.totals.refused - ledger.accounts[position].totals.refused
                if missing > 0 { ledger.refused(Int(missing), at: position) }
            } else {
                var left = Ledger.Account(id: account.id, destination: account.destination)
                left.totals.refused = account.totals.refused
                left.isTouched = true
                ledger.add(left)
            }
        }
        for position in ledger.accounts.indices {
            ledger.setLimit(registry.entry(ledger.accounts[position].id).maxBytes, at: position)
        }
        published.set(&ledger)
    }

    /// Closes the file and puts a new one in its place.
    func replaceFile(because damage: QueueError) {
        closeFile()
        carrying.source = nil
        do throws(QueueError) {
            let outcome = try Salvage.replace(settings, known: ledger, clock: clockMark(), because: damage)
            machine.replaced(outcome.notice)
        } catch {
            machine.replaceFailed(error)
        }
    }

    func stayClosed(_ error: QueueError, retryMS: Int) {
        closeFile()
        published.setUnavailable(error.description)
        observer?.noticed(.reopenFailed(message: error.description))
        queue.asyncAfter(deadline: .now() + .milliseconds(retryMS)) { [weak self] in self?.retry() }
    }

    func releaseReserve(for use: ReserveUse) {
        let isReleased = reserve.release()
        machine.reserveReleased(isReleased, for: use, freeBytes: freeDiskBytes(at: settings.path) ?? 0)
    }
}
