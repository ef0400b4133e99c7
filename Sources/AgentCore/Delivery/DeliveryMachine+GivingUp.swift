// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

// Requests that hang, and the workers that they hold.

extension DeliveryMachine {
    /// Takes workers back from requests that hang, when a healthy destination wants them.
    mutating func planCancels(now: Instant) {
        if isCrowded, wantsWorker(now: now) {
            let suspectAfter = settings.suspectAfter
            let suspects = attempts.filter {
                now - $0.value.began >= $0.value.destination.patience(suspectAfter: suspectAfter)
            }
            let excess = max(suspects.count - settings.workersOfSick, settings.workers == 1 ? 1 : 0)
            cancel(suspects.sorted { $0.value.began < $1.value.began }.prefix(excess).map(\.key))
        }
        // Those that were never tried may be well: what hangs does not keep them from showing it.
        if isUntriedEnough, hasTurn(.untried, now: now) {
            cancel(
                attempts.filter {
                    ($0.value.isSick || $0.value.isUntried) && now - $0.value.began >= settings.hasteAfter
                }
                .map(\.key)
            )
        }
    }

    private mutating func cancel(_ ids: [AttemptID]) {
        for id in ids where attempts[id]?.isCancelled == false {
            attempts[id]?.isCancelled = true
            actions.append(.cancel(id))
        }
    }

    /// All workers are busy, or as many as wait for those that were not heard of.
    private var isCrowded: Bool {
        attempts.count >= settings.workers || isUnsureEnough
    }

    /// Whether some destination that is well, or was never tried, could send now, had it a worker.
    private mutating func wantsWorker(now: Instant) -> Bool {
        hasTurn(.well, now: now) || hasTurn(.untried, now: now) || hasTurn(.late, now: now)
    }

    /// Whether some destination of that standing could send now.
    private mutating func hasTurn(_ standing: Standing, now: Instant) -> Bool {
        while let state = schedule.first(standing) {
            if self.standing(of: state, now: now) == standing, maySend(state, now: now) { return true }
            _ = schedule.next(standing)
            examine(state, now: now)
        }
        return false
    }
}
