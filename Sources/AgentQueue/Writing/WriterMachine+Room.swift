// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Whether the disk has room.
enum Room {
    case enough
    /// New events are refused, deliveries go on.
    case short
    /// The same, and what was set aside for that is being used up.
    case reserveSpent(isTold: Bool)

    var isShort: Bool { if case .enough = self { false } else { true } }
    var isReserveSpent: Bool { if case .reserveSpent = self { true } else { false } }
}

/// What the writer does on a full disk: intake stops first, and deletes get the reserve.
extension WriterMachine {
    /// Whether to look at the disk before events are taken.
    var watchesDisk: Bool { settings.minFreeDisk > 0 || room.isReserveSpent }

    /// Why no append can be taken at all now.
    mutating func standingRefusal(_ freeBytes: Int64?) -> AppendRefusal? {
        if isTampered { return .tampered(path: settings.path) }
        guard watchesDisk else { return nil }
        let free = freeBytes ?? .max
        guard free < settings.minFreeDisk || room.isReserveSpent else {
            hasRoom(freeBytes: free)
            return nil
        }
        isShort(freeBytes: free)
        say(.planUpkeep)
        return .diskFull(freeBytes: free, limitBytes: settings.minFreeDisk)
    }

    mutating func diskFull(_ transaction: Transaction, freeBytes: Int64) {
        var work = transaction.work
        let refusal = AppendRefusal.diskFull(freeBytes: freeBytes, limitBytes: settings.minFreeDisk)
        isShort(freeBytes: freeBytes)
        say(.planUpkeep)
        if work.wantsRoom {
            refuse(&work, refusal)
            again(work)
        } else if transaction.job == .carry {
            postpone(work, refusal)
        } else {
            say(.releaseReserve(for: .transaction(transaction, freeBytes: freeBytes)))
        }
    }

    /// - Parameters:
    ///   - isReleased: there was something set aside, and it is free now.
    ///   - freeBytes: what the disk has left.
    mutating func reserveReleased(_ isReleased: Bool, for use: ReserveUse, freeBytes: Int64) {
        if isReleased {
            isShort(freeBytes: freeBytes)
            room = .reserveSpent(isTold: true)
        }
        switch use {
        case .transaction(let transaction, let freeBytes):
            if isReleased { return again(transaction.work) }
            postpone(transaction.work, .diskFull(freeBytes: freeBytes, limitBytes: settings.minFreeDisk))
        case .replacing(let damage, let failure):
            if isReleased { say(.replace(because: damage)) } else { reopenFailed(failure) }
        case .checkpoint(let frames, let error):
            if isReleased { return say(.restartLog(atLeast: frames)) }
            isShort(freeBytes: freeBytes)
            postpone(Work(), .storage(message: error.description))
        }
    }

    /// Whether disk may be set aside again.
    func mayReserve(_ bytes: Int64, freeBytes: Int64) -> Bool { freeBytes >= settings.minFreeDisk + bytes }

    /// Disk is set aside again.
    mutating func reserveTaken(freeBytes: Int64) {
        if case .reserveSpent(let isTold) = room { room = isTold ? .short : .enough }
        hasRoom(freeBytes: freeBytes)
    }

    /// Somebody looked at the disk without wanting anything of it.
    ///
    /// - Parameter hasRoom: whether it gives as much as a group of appends takes; asked only where that matters.
    mutating func looked(freeBytes: Int64, hasRoom: () -> Bool) {
        if room.isReserveSpent || freeBytes < settings.minFreeDisk {
            isShort(freeBytes: freeBytes)
        } else if room.isShort, hasRoom() {
            self.hasRoom(freeBytes: freeBytes)
        }
    }

    private mutating func isShort(freeBytes: Int64) {
        switch room {
        case .enough:
            room = .short
            tellRoom(isShort: true, freeBytes)
        case .reserveSpent(isTold: false):
            room = .reserveSpent(isTold: true)
            tellRoom(isShort: true, freeBytes)
        case .short, .reserveSpent(isTold: true): break
        }
    }

    mutating func hasRoom(freeBytes: Int64) {
        guard case .short = room else { return }
        room = .enough
        tellRoom(isShort: false, freeBytes)
    }

    private mutating func tellRoom(isShort: Bool, _ freeBytes: Int64) {
        say(.setDiskFull(isShort))
        say(.notice(isShort ? .diskFull(freeBytes: freeBytes) : .diskHasRoom))
    }

    // MARK: The WAL

    /// The WAL was to be started anew.
    mutating func logRestarted(_ isDone: Bool, frames: Int) {
        switch log.restarted(isDone, frames: frames) {
        case .pinned:
            say(.tellLogPinned)
            say(.planUpkeep)
        case .released: say(.notice(.logReleased))
        case nil: break
        }
    }

    /// What is in the WAL stays there, durable.
    mutating func checkpointFailed(_ error: QueueError, atLeast frames: Int?, nowNS: Int64) {
        if case .full = error {
            say(.releaseReserve(for: .checkpoint(atLeast: frames, error)))
        } else {
            failed(error, freeBytes: 0, nowNS: nowNS)
        }
    }
}

/// When the WAL is moved into the database, and whether another program keeps it from being started anew.
struct LogLength {
    enum Change {
        case pinned
        case released
    }

    let limit: Int
    /// The length of the WAL, in frames, at which it is started anew.
    private(set) var due: Int
    private(set) var isPinned = false

    init(limit: Int) {
        self.limit = limit
        due = limit
    }

    /// A WAL that could not be started anew is not tried at each commit.
    mutating func restarted(_ isDone: Bool, frames: Int) -> Change? {
        due = isDone ? limit : frames + limit / 4
        if isDone {
            defer { isPinned = false }
            return isPinned ? .released : nil
        }
        guard !isPinned, frames >= 2 * limit else { return nil }
        isPinned = true
        return .pinned
    }
}
