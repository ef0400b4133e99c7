// SPDX-License-Identifier: Apache-2.0
import AgentCore

@testable import AgentQueue

/// The writer's machine over a file on a disk that fails, in virtual time.
final class WriterRun {
    static let destination = DestinationID(1)

    let scenario: WriterScenario
    let judge = WriterJudge()
    var random: SeededGenerator
    var machine: WriterMachine
    var file = ModelFile()
    /// What the process knows of the file.
    var known = ModelContents()
    var isOpen = true
    var nowMS: Int64 = 0
    var retryAt: Int64?
    var upkeepAt: Int64?
    var isReserveHeld: Bool
    /// What was set aside is free, and the disk is still full.
    var isReserveInUse = false
    var nextToken: UInt64 = 1
    /// The process dies after so many more actions.
    var fuse: Int?
    var didCrash = false
    /// What was told to begin, and not yet to end.
    var told: Set<String> = []
    /// What happened, where somebody wants to read it.
    var trace: [String]?

    init(_ scenario: WriterScenario, keepsTrace: Bool = false) {
        self.scenario = scenario
        random = SeededGenerator(seed: scenario.seed ^ 0x77)
        machine = WriterMachine(settings: Self.settings(scenario))
        isReserveHeld = scenario.hasReserve
        if keepsTrace { trace = [] }
    }

    static func settings(_ scenario: WriterScenario) -> QueueSettings {
        var settings = QueueSettings(path: "queue.db")
        settings.minFreeDisk = scenario.minFreeDisk
        settings.walFrames = 100
        settings.readPatience = .seconds(3)
        settings.lockAttempts = 3
        return settings
    }

    func note(_ text: @autoclosure () -> String) {
        if trace != nil { trace?.append("\(nowMS): \(text())") }
    }

    func chance(_ odds: Int) -> Bool { Int.random(in: 0..<odds, using: &random) == 0 }

    // MARK: The disk

    func isActive(_ fault: WriterScenario.Fault) -> Bool {
        scenario.weather.contains { $0.fault == fault && $0.from <= nowMS && nowMS < $0.until }
    }

    /// Whether it strikes now. What happens to a file that was moved away, before that is known, is nobody's promise.
    func strikes(_ fault: WriterScenario.Fault) -> Bool {
        guard !file.isMoved || machine.isTampered else { return false }
        return scenario.weather.contains {
            $0.fault == fault && $0.from <= nowMS && nowMS < $0.until
                && Double.random(in: 0..<1, using: &random) < $0.probability
        }
    }

    var isFull: Bool { isActive(.full) }
    var lacksRoom: Bool { isFull && !isReserveInUse }
    var freeBytes: Int64 { isFull ? 0 : 1000 }

    static let storage = QueueError.storage(operation: "test", message: "the disk failed", code: 10)
    static let damage = QueueError.damaged(operation: "test", message: "it is damaged", code: 11)
    static let unreadable = QueueError.unreadable(operation: "test", message: "no answer", code: 266)
    static let full = QueueError.full(operation: "test", message: "no room", code: 13)

    // MARK: What the machine says

    func perform() {
        var count = 0
        while let action = machine.next() {
            if let left = fuse {
                fuse = left - 1
                if left <= 0 {
                    didCrash = true
                    return
                }
            }
            count += 1
            if count > 200 { return judge.breaks("it goes round in circles") }
            note("\(action)".prefix(90).description)
            perform(action)
        }
        judge.checkAnswers()
    }

    private func perform(_ action: WriterAction) {
        switch action {
        case .transact(let transaction):
            guard isOpen, machine.isUsable else { return judge.breaks("a transaction on a closed file") }
            machine.ended(transaction, transact(transaction))
        case .bring(let work): bring(work)
        case .conclude(let draft):
            conclude(draft)
            restartLog(atLeast: nil)
            planUpkeep()
        case .report(let draft): conclude(draft)
        case .refuse(let requests, let orders, let refusal):
            Answers.refuse(requests, refusal)
            for order in orders { order.reply(.success(Order.Outcome(refusal: refusal))) }
        case .leaveOpen(let requests, let refusal): Answers.refuse(requests, refusal)
        case .count: break
        case .reject(let orders, let error): for order in orders { order.reply(.failure(error)) }
        case .reopen: reopen()
        case .replace: replace()
        case .close(_, let retryMS):
            isOpen = false
            retryAt = nowMS + Int64(retryMS)
        case .releaseReserve(let use): releaseReserve(use)
        case .restartLog(let frames): restartLog(atLeast: frames)
        case .planUpkeep: planUpkeep()
        case .setDiskFull, .setTampered: break
        case .tellLogPinned: begins("a pinned WAL")
        case .notice(let notice): hear(notice)
        }
    }

    func planUpkeep() { if upkeepAt == nil { upkeepAt = nowMS + 1000 } }

    private func begins(_ name: String) {
        if !told.insert(name).inserted { judge.breaks("\(name) is told twice") }
    }

    private func ends(_ name: String) {
        if told.remove(name) == nil { judge.breaks("the end of \(name) is told twice") }
    }

    /// What is told to begin is told to end, and not twice.
    private func hear(_ notice: QueueNotice) {
        switch notice {
        case .diskFull: begins("a full disk")
        case .diskHasRoom: ends("a full disk")
        case .fileLocked: begins("a lock")
        case .fileUnlocked: ends("a lock")
        case .unreadable: begins("an unreadable file")
        case .readableAgain: ends("an unreadable file")
        case .logReleased: ends("a pinned WAL")
        case .tampered: begins("tampering")
        default: break
        }
    }

    private func conclude(_ draft: Draft) {
        draft.answers.send()
        draft.sendReplies()
        judge.committed(draft.commit, known)
    }

    private func transact(_ transaction: Transaction) -> TransactionOutcome {
        func failed(_ error: QueueError) -> TransactionOutcome {
            .failed(error, freeBytes: freeBytes, nowNS: nowMS * 1_000_000)
        }
        if strikes(.busy) {
            machine.foundLocked("queue.db", by: "another")
            return failed(.busy(path: "queue.db", holder: "another"))
        }
        machine.foundUnlocked()
        if file.isDamaged { return failed(Self.damage) }
        if strikes(.unreadable) { return failed(Self.unreadable) }
        // Appends take more than the reserve may give.
        if lacksRoom || isFull && transaction.work.wantsRoom { return failed(Self.full) }
        if strikes(.write) { return failed(Self.storage) }
        var next = known
        next.serial += 1
        var draft = Draft()
        fill(&draft, transaction, &next)
        draft.finish()
        if file.isMoved, !machine.isTampered { return .tampered }
        if strikes(.commit) {
            // Of a file that is not opened again, the next commit writes over what it left.
            if !machine.isTampered, !scenario.losesFailedCommits, chance(2) { file.write(next, synced: false) }
            if strikes(.forgets), !machine.isTampered { file.forget(&random) }
            return .undecided(draft, serial: next.serial, Self.storage)
        }
        file.write(next, synced: transaction.isSynced)
        known = next
        return .done(draft)
    }

    private func fill(_ draft: inout Draft, _ transaction: Transaction, _ next: inout ModelContents) {
        let work = transaction.work
        for settlement in work.settlements {
            draft.settle(settlement)
            for id in settlement.ids { next.rows[id.rawValue] = nil }
        }
        for letter in work.letters {
            draft.bury(letter)
            if next.rows.removeValue(forKey: letter.id.rawValue) != nil { next.dead.insert(letter.id.rawValue) }
        }
        for order in work.orders { draft.reply(to: order, Order.Outcome()) }
        for request in work.requests {
            let first = EventID(next.nextID)
            draft.append(request.events[...], first: first, acceptedMS: nowMS, to: Self.destination, at: 0)
            for marker in judge.requests[request.token]?.markers ?? 0..<0 {
                next.rows[next.nextID] = marker
                next.nextID += 1
            }
            draft.store(request, first: first)
        }
        if transaction.job != .work { draft.touch() }
    }

    private func restartLog(atLeast frames: Int?) {
        let length = file.frames
        guard isOpen, length >= frames ?? machine.log.due else { return }
        let now = nowMS * 1_000_000
        if lacksRoom { return machine.checkpointFailed(Self.full, atLeast: frames, nowNS: now) }
        if !machine.isTampered, strikes(.write) {
            return machine.checkpointFailed(Self.storage, atLeast: frames, nowNS: now)
        }
        let isDone = !isActive(.pinned)
        if isDone { file.frames = 0 }
        machine.logRestarted(isDone, frames: length)
    }

    private func reopen() {
        isOpen = false
        if file.isMoved { judge.breaks("a file that was moved away is opened again") }
        if strikes(.open) {
            if strikes(.forgets) { file.forget(&random) }
            return machine.reopenFailed(chance(2) ? Self.storage : Self.unreadable)
        }
        if file.isDamaged, scenario.openingFindsDamage { return machine.reopenFailed(Self.damage) }
        file.sync()
        if strikes(.damage) { file.isDamaged = true }
        let serial = known.serial
        let nextID = known.nextID
        known = file.contents
        known.nextID = max(known.nextID, nextID)
        isOpen = true
        machine.reopened(serial: known.serial, known: serial)
    }

    private func replace() {
        isOpen = false
        if file.isMoved { judge.breaks("a file that was moved away is replaced") }
        if lacksRoom { return machine.replaceFailed(Self.full) }
        if strikes(.replace) { return machine.replaceFailed(chance(2) ? Self.storage : Self.damage) }
        file.replace(known: known, &random)
        machine.replaced(.damaged(aside: "aside", message: "", pending: 0, lost: 0))
    }

    private func releaseReserve(_ use: ReserveUse) {
        if case .transaction(let transaction, _) = use, transaction.job == .carry {
            judge.breaks("the reserve is used up for rows of a damaged file")
        }
        if isReserveHeld { isReserveInUse = true }
        machine.reserveReleased(isReserveHeld, for: use, freeBytes: freeBytes)
        isReserveHeld = false
    }
}
