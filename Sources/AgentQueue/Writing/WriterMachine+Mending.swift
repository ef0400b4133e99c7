// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// How a file comes back that the disk failed, or that it damaged.
extension WriterMachine {
    // MARK: Failure

    /// COMMIT may say no, and yet its events may be there after a crash: the frames were written, and only the sync
    /// failed. So nobody is answered before the file has been opened again and looked into.
    mutating func fail(_ outage: Outage) {
        var outage = outage
        if case .repaired = state { outage.isRepair = true }
        state = .failed(outage)
        say(.reopen)
    }

    /// The file is open; what its WAL holds is on the disk.
    ///
    /// - Parameters:
    ///   - serial: of the last commit that it holds.
    ///   - known: of the last commit that succeeded.
    mutating func reopened(serial: Int64, known: Int64) {
        guard let outage else { return }
        lostUnsynced(serial < known)
        state = outage.isRepair ? .repaired : .open
        say(.notice(.reopened))
        say(.planUpkeep)
        if let undecided = outage.undecided {
            if undecided.serial == serial {
                state = .open
                say(.report(undecided.draft))
            } else if let answered = undecided.answered {
                owe(undecided.work)
                say(.count(answered, .unknown(message: "")))
            } else if isSecondTry {
                postpone(undecided.work, .storage(message: undecided.message))
            } else {
                var work = undecided.work
                if work.wantsRoom { refuse(&work, .storage(message: undecided.message)) }
                isSecondTry = !work.isEmpty
                again(work)
            }
        }
        if let (work, _) = outage.interrupted { again(work) }
    }

    mutating func reopenFailed(_ error: QueueError) { stayClosed(error) }

    /// The file stays closed for a while.
    private mutating func stayClosed(_ error: QueueError) {
        guard var outage else { return }
        if var undecided = outage.undecided, undecided.answered == nil {
            say(.leaveOpen(undecided.work.requests, .unknown(message: error.description)))
            if !undecided.work.orders.isEmpty { say(.reject(undecided.work.orders, unavailable)) }
            undecided.answer()
            outage.undecided = undecided
        }
        if let (work, cause) = outage.interrupted { postpone(work, .storage(message: cause.description)) }
        outage.interrupted = nil
        say(.close(because: error, retryMS: outage.retryMS))
        outage.retryMS = min(outage.retryMS * 2, Outage.longestRetryMS)
        if case .damaged = error { state = .damaged(outage, error) } else { state = .failed(outage) }
    }

    /// Tries again, after a while, what did not work.
    mutating func retryDue() {
        switch state {
        case .failed: say(.reopen)
        case .damaged(_, let error): say(.replace(because: error))
        case .open, .repaired, .tampered, .closed: break
        }
    }

    private var outage: Outage? {
        switch state {
        case .failed(let outage), .damaged(let outage, _): outage
        case .open, .repaired, .tampered, .closed: nil
        }
    }

    // MARK: Damage

    /// A transaction with `work` met damage.
    mutating func damaged(_ error: QueueError, _ work: Work) {
        if case .repaired = state {
            // What was just written is damaged again: the disk does not hold it. Later, perhaps.
            state = .failed(Outage(interrupted: (work, error), isRepair: true))
            return stayClosed(error)
        }
        state = .damaged(Outage(interrupted: (work, error)), error)
        say(.replace(because: error))
    }

    /// Somebody who reads met damage; whether anything is done about it. What is known already, and what can no longer
    /// be helped, is passed over.
    mutating func damaged(_ error: QueueError) -> Bool {
        guard isUsable, !isTampered else { return false }
        state = .damaged(Outage(), error)
        say(.replace(because: error))
        return true
    }

    /// A new file took the place of the damaged one, and is to be opened.
    mutating func replaced(_ notice: QueueNotice) {
        guard var outage else { return }
        say(.notice(notice))
        outage.isRepair = true
        state = .failed(outage)
        lostUnsynced(true)
        if patience.forget() { say(.notice(.readableAgain)) }
        say(.reopen)
    }

    mutating func replaceFailed(_ error: QueueError) {
        if case .full = error, case .damaged(_, let damage) = state {
            return say(.releaseReserve(for: .replacing(damage: damage, failure: error)))
        }
        stayClosed(error)
    }

    // MARK: What the disk does not give

    /// The disk did not give the events of a destination; whether that has lasted long enough to do something about it.
    mutating func couldNotRead(_ id: DestinationID, _ error: QueueError, nowNS: Int64) -> Bool {
        hasWaitedLong(id, error, nowNS) && damaged(error)
    }

    /// The disk gave what is wanted for `id`.
    mutating func couldRead(_ id: DestinationID?) {
        if patience.recovered(id) { say(.notice(.readableAgain)) }
    }

    /// Takes note that the disk does not give what is wanted for `id`; whether that has lasted too long.
    mutating func hasWaitedLong(_ id: DestinationID?, _ error: QueueError, _ nowNS: Int64) -> Bool {
        if patience.isEmpty { say(.notice(.unreadable(message: error.description))) }
        return patience.failed(id, nowNS: nowNS)
    }
}
