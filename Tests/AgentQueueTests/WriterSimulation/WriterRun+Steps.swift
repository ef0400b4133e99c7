// SPDX-License-Identifier: Apache-2.0
import AgentCore

@testable import AgentQueue

extension WriterRun {
    /// The law that was broken; `nil`: none.
    func run() -> String? {
        while nowMS < scenario.calmMS, judge.broken == nil {
            nowMS += Int64.random(in: 1...400, using: &random)
            if !isFull { isReserveInUse = false }
            runTimers()
            step()
            if didCrash { crash(losesPower: chance(2)) }
        }
        settleDown()
        return judge.broken
    }

    // MARK: Steps

    func bring(_ work: Work) {
        let isWatching = machine.watchesDisk && work.wantsRoom
        machine.brought(work, freeBytes: isWatching ? freeBytes : nil)
    }

    private func step() {
        if let moved = scenario.movedMS, nowMS >= moved, isOpen, !file.isDamaged { file.isMoved = true }
        if strikes(.damage), isOpen, !machine.isTampered { file.isDamaged = true }
        fuse = scenario.crashes && !file.isMoved && chance(20) ? Int.random(in: 0..<8, using: &random) : nil
        defer { fuse = nil }
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<14: work()
        case 14: if file.isDamaged, machine.damaged(Self.damage) { mended() }
        case 15:
            guard isOpen else { return }
            if strikes(.unreadable) {
                if machine.couldNotRead(Self.destination, Self.unreadable, nowNS: nowMS * 1_000_000) { mended() }
            } else {
                machine.couldRead(Self.destination)
            }
            perform()
        case 16:
            machine.slice(chance(2) ? .carry : .expire)
            perform()
        case 17: if scenario.crashes, !file.isMoved, chance(4) { crash(losesPower: chance(2)) }
        default: break
        }
    }

    private func mended() {
        perform()
        payDebts()
    }

    private func payDebts() {
        guard !didCrash, machine.payDebts() else { return }
        perform()
        guard !didCrash else { return }
        machine.debtsTried()
        perform()
    }

    /// Some of everything that may be asked.
    private func work() {
        var work = Work()
        var tokens: [UInt64] = []
        if chance(2) {
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let request = request(Int.random(in: 1...4, using: &random))
                tokens.append(request.token)
                work.requests.append(request)
            }
        }
        let open = judge.reported.subtracting(judge.asked).filter { known.rows[$0] != nil }.sorted()
        let ids = open.filter { _ in chance(3) }
        if !ids.isEmpty {
            work.settlements.append(Settlement(destination: Self.destination, ids: ids.map { EventID($0) }))
        }
        if chance(6), let id = open.first(where: { !ids.contains($0) }) {
            work.letters.append(
                DeadLetter(destination: Self.destination, id: EventID(id), code: "record_rejected", reason: "test")
            )
        }
        for id in ids + work.letters.map(\.id.rawValue) { judge.askRemoval(id) }
        if chance(8) { work.orders.append(judge.order()) }
        guard !work.isEmpty else { return }
        note("brings \(work.requests.count) requests, \(ids) and \(work.letters.map(\.id))")
        let mustStore = isCalm(except: []) && !file.isMoved && !machine.room.isReserveSpent
        let mustRemove = tokens.isEmpty && (isCalm(except: [.full]) && !lacksRoom || canUseReserve)
        bring(work)
        perform()
        guard !didCrash else { return }
        for token in tokens where mustStore {
            if let refusal = judge.refusal(of: token) { judge.breaks("refused without cause: \(refusal)") }
        }
        if machine.isTampered, !tokens.isEmpty {
            for token in tokens where judge.refusal(of: token) == nil { judge.breaks("stored in a file that is gone") }
        }
        if mustRemove, !judge.settled.isSuperset(of: ids) { judge.breaks("\(ids) are not removed at once") }
    }

    /// Nothing is in the way of a commit.
    private func isCalm(except faults: Set<WriterScenario.Fault>) -> Bool {
        isOpen && machine.isUsable && !file.isDamaged
            && WriterScenario.Fault.allCases.allSatisfy { $0 == .pinned || faults.contains($0) || !isActive($0) }
    }

    private var canUseReserve: Bool { isCalm(except: [.full]) && isReserveHeld }

    private func request(_ count: Int) -> AppendRequest {
        defer { nextToken += 1 }
        _ = judge.ask(nextToken, events: count)
        let event = NewEvent(destination: Self.destination, key: EventKey(partitionKey: "k"), data: Payload([1]))
        return AppendRequest(events: Array(repeating: event, count: count), token: nextToken, receiver: judge)
    }

    // MARK: Time

    private func runTimers() {
        if let due = retryAt, due <= nowMS, !didCrash {
            retryAt = nil
            note("retries")
            machine.retryDue()
            mended()
        }
        if let due = upkeepAt, due <= nowMS, !didCrash {
            upkeepAt = nil
            if upkeep() { planUpkeep() }
        }
    }

    /// As the writer does it; whether there is more to do later.
    private func upkeep() -> Bool {
        note("upkeep")
        payDebts()
        machine.sync(hasUnwritten: false)
        perform()
        if machine.isUsable, machine.owed.isEmpty, !machine.hasUnsynced { judge.synced() }
        if !isReserveHeld, scenario.hasReserve, machine.mayReserve(500, freeBytes: freeBytes), !isFull {
            isReserveHeld = true
            machine.reserveTaken(freeBytes: freeBytes)
        }
        machine.looked(freeBytes: freeBytes) { !isFull }
        perform()
        if machine.isLocked, isOpen, !strikes(.busy) { machine.foundUnlocked() }
        if machine.log.isPinned, isOpen, !isActive(.pinned) {
            let frames = file.frames
            file.frames = 0
            machine.logRestarted(true, frames: frames)
        }
        perform()
        return machine.needsUpkeep
    }

    // MARK: Ends

    private func crash(losesPower: Bool) {
        if losesPower { file.forget(&random) }
        note(losesPower ? "the power goes" : "the process dies")
        didCrash = false
        fuse = nil
        judge.check(file.contents, after: losesPower ? "after a power cut" : "after a crash")
        if file.isDamaged { file.replace(known: file.contents, &random) }
        file.sync()
        known = file.contents
        judge.restarted(known)
        isOpen = true
        retryAt = nil
        upkeepAt = nil
        told = []
        machine = WriterMachine(settings: Self.settings(scenario), isReserveSpent: isReserveInUse)
        planUpkeep()
    }

    /// Until nothing is planned any more.
    private func runUntilQuiet() {
        for _ in 0..<300 {
            guard let next = [retryAt, upkeepAt].compactMap(\.self).min(), judge.broken == nil else { return }
            nowMS = max(nowMS, next)
            runTimers()
        }
        judge.breaks("upkeep never ends")
    }

    /// The disk works again: all that waits is done without anybody asking for it.
    private func settleDown() {
        guard judge.broken == nil else { return }
        nowMS = max(nowMS, scenario.calmMS)
        isReserveInUse = false
        runUntilQuiet()
        // Damage that nobody met yet.
        if file.isDamaged, machine.damaged(Self.damage) { mended() }
        work()
        runUntilQuiet()
        guard judge.broken == nil else { return }
        if !machine.isUsable { return judge.breaks("the file stays closed") }
        if !machine.owed.isEmpty { return judge.breaks("work is owed for ever") }
        if machine.needsUpkeep { return judge.breaks("upkeep is forgotten") }
        if let left = told.subtracting(["tampering"]).first, left != "an unreadable file" {
            return judge.breaks("the end of \(left) is never told")
        }
        if !file.unsynced.isEmpty { return judge.breaks("commits are never synced") }
        judge.checkRemovals(file.contents)
        judge.check(file.contents, after: "in the end")
        let last = request(1)
        bring(Work(requests: [last]))
        perform()
        switch judge.refusal(of: last.token) {
        case nil: if file.isMoved { judge.breaks("stored in a file that is gone") }
        case .tampered: if !file.isMoved { judge.breaks("called tampered with") }
        case let refusal?: judge.breaks("refused in the end: \(refusal)")
        }
        file.forget(&random)
        judge.check(file.contents, after: "after the last power cut")
    }
}
