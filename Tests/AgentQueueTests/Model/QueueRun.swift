// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Glibc

@testable import AgentQueue

/// The queue and its model, taken through the same steps.
final class QueueRun {
    struct Rules {
        var maxBytes: Int64 = 1 << 30
        /// Of the destination at the same place; 0: none.
        var limits: [Int64] = []
        var whenFull = QueueSettings.WhenFull.reject
        var durability = QueueSettings.Durability.full
        var maxAgeMS: Int64 = 60_000
        var walFrames = 50
    }

    let rules: Rules
    let time = ManualTime()
    private(set) var vfs: FaultVFS
    private(set) var fixture: QueueFixture
    private(set) var ids: [DestinationID] = []
    var model = QueueModel()
    /// What the file may say after a power cut, by its serial; the last one is the present.
    private var history: [(serial: Int64, model: QueueModel)] = []
    /// The serial of the last commit that a power cut must not take.
    private var durable: Int64 = 0
    /// What the step does during which the power went.
    private var inFlight: QueueModel?
    private(set) var trace: [String] = []

    init(_ rules: Rules, destinations: Int = 3) throws {
        self.rules = rules
        vfs = FaultVFS()
        let folder = TemporaryFolder()
        fixture = try QueueFixture(folder: folder, time: time) { [vfs] in Self.adjust(&$0, rules, vfs) }
        ids = (0..<destinations).map { fixture.destination("s\($0)") }
        setLimits()
        // A destination keeps its number over a restart once it has had an event.
        for id in ids {
            try perform(.work(appending: [[NewEvent(destination: id, key: .none, data: Payload([1]))]]))
        }
        try perform(.pass(milliseconds: 0))
    }

    private static func adjust(_ settings: inout QueueSettings, _ rules: Rules, _ vfs: FaultVFS) {
        settings.vfs = vfs.name
        settings.maxBytes = rules.maxBytes
        settings.whenFull = rules.whenFull
        settings.durability = rules.durability
        settings.maxAge = .milliseconds(rules.maxAgeMS)
        settings.walFrames = rules.walFrames
    }

    private func setLimits() {
        for (id, limit) in zip(ids, rules.limits) { fixture.queue.setLimit(limit, of: id) }
    }

    private var limits: [DestinationID: Int64] {
        Dictionary(uniqueKeysWithValues: zip(ids, rules.limits).filter { $0.1 > 0 })
    }

    private var agentNow: Int64 { fixture.queue.writer.agentNow }
    private var serial: Int64 {
        let writer = fixture.queue.writer
        return writer.queue.sync { writer.ledger.serial }
    }

    // MARK: Steps

    /// Does the step in the queue and in the model, and compares; after a power cut ``turnOn(_:)`` has to follow.
    func perform(_ step: Step) throws {
        trace.append("\(trace.count): \(step)")
        var after = predict(step)
        let isDurable = try carryOut(step, &after)
        if vfs.isOff, !isDurable {
            inFlight = after.model
            return
        }
        model = after.model
        history.append((serial, model))
        if isDurable { durable = serial }
        if !vfs.isOff { try compare() }
    }

    private struct Prediction {
        var model: QueueModel
        /// Whether the quota has room for each of the requests.
        var hasRoom: [Bool] = []
    }

    private func predict(_ step: Step) -> Prediction {
        var after = Prediction(model: model)
        let now = agentNow
        switch step {
        case .work(let settlements, let letters, let requests):
            for settlement in settlements {
                after.model.settle(settlement.ids.map(\.rawValue), of: settlement.destination)
            }
            for letter in letters {
                after.model.bury([letter.id.rawValue], of: letter.destination, reason: letter.reason)
            }
            for request in requests {
                let hasRoom =
                    rules.whenFull == .dropOldest
                    || after.model.hasRoom(for: request, maxBytes: rules.maxBytes, limits: limits)
                after.hasRoom.append(hasRoom)
                if hasRoom { after.model.append(request, now: now) }
            }
        case .requeue(let letters):
            after.model.requeue(letters, now: now, maxBytes: rules.maxBytes, limits: limits)
        case .purge(let letters): after.model.purge(letters)
        case .pass(let milliseconds): after.model.expire(through: now + milliseconds - rules.maxAgeMS)
        case .read, .reopen, .crash: break
        }
        return after
    }

    /// Whether the queue said that the step survives a power cut.
    private func carryOut(_ step: Step, _ after: inout Prediction) throws -> Bool {
        switch step {
        case .work(let settlements, let letters, let requests):
            return try work(settlements, letters, requests, &after)
        case .requeue(let letters):
            return try order(model.dead.count - after.model.dead.count) { try fixture.requeue(letters) }
        case .purge(let letters):
            return try order(model.dead.count - after.model.dead.count) { try fixture.purge(letters) }
        case .pass(let milliseconds):
            time.advance(.milliseconds(milliseconds))
            fixture.upkeep()
            // Slices that follow by themselves.
            for _ in 0..<8 { fixture.drain() }
            return !vfs.isOff
        case .read(let request):
            guard !vfs.isOff else { return false }
            if let fault = model.fault(of: try fixture.load(request), to: request) { throw Wrong(fault) }
            return false
        case .reopen:
            do { try fixture.reopen() } catch { try onlyWithoutPower(error) }
            setLimits()
            return !vfs.isOff
        case .crash:
            try crash()
            return !vfs.isOff
        }
    }

    private func work(
        _ settlements: [Settlement],
        _ letters: [DeadLetter],
        _ requests: [[NewEvent]],
        _ after: inout Prediction
    ) throws -> Bool {
        let appends = requests.map { fixture.request($0) }
        let before = fixture.recorder.commits.count
        let writer = fixture.queue.writer
        // So that all of it is one group.
        writer.queue.suspend()
        fixture.queue.settle(settlements)
        fixture.queue.deadLetter(letters)
        fixture.queue.append(appends)
        writer.queue.resume()
        fixture.drain()
        let commits = fixture.recorder.commits.dropFirst(before)
        for removal in commits.flatMap(\.removed) {
            let count = after.model.evict(through: removal.through.rawValue, of: removal.destination)
            guard count == removal.count else { throw Wrong("\(removal.count) evicted, not \(count)") }
        }
        var next = model.nextID
        var isStored = false
        for (append, hasRoom) in zip(appends, after.hasRoom) {
            switch fixture.recorder.answer(append.token) {
            case .stored(let first), .repeated(let first):
                guard hasRoom, first.rawValue == next else { throw Wrong("stored as \(first)") }
                next += Int64(append.events.count)
                isStored = true
            case .refused(.queueFull), .refused(.destinationFull), .refused(.lastTenth), .refused(.tooLarge):
                guard !hasRoom else { throw Wrong("refused, and there is room") }
            case .refused(let refusal): try onlyWithoutPower(refusal)
            case nil: throw Wrong("not answered")
            }
        }
        let isBuried = !letters.isEmpty && !commits.isEmpty
        return (isStored || isBuried) && rules.durability == .full
    }

    private func order(_ count: Int, _ body: () throws -> Int) throws -> Bool {
        do {
            let done = try body()
            guard done == count else { throw Wrong("\(done) done, not \(count)") }
            return rules.durability == .full
        } catch let error as QueueError {
            try onlyWithoutPower(error)
            return false
        }
    }

    private func onlyWithoutPower(_ error: any Error) throws {
        guard vfs.isOff else { throw error }
    }

    func compare() throws {
        if let difference = try fixture.contents(of: ids).difference(from: model) { throw Wrong(difference) }
        for case .damaged(_, let message, _, _) in fixture.recorder.notices {
            throw Wrong("called damaged: \(message)")
        }
    }

    // MARK: Ends of a process

    /// The process is gone, and what it wrote stays in the system's cache.
    private func crash() throws {
        let folder = TemporaryFolder()
        for name in vfs.images.keys where FileIdentity("\(fixture.folder.path)/\(name)") != nil {
            try copyFile("\(fixture.folder.path)/\(name)", "\(folder.path)/\(name)")
        }
        let changesLeft = vfs.changesLeft
        let next = FaultVFS(images: vfs.images, seed: UInt64(trace.count))
        vfs.retire()
        next.set { $0.changesLeft = changesLeft }
        try open(folder, next)
    }

    private func open(_ folder: TemporaryFolder, _ next: FaultVFS) throws {
        vfs = next
        let rules = rules
        do {
            fixture = try QueueFixture(folder: folder, time: time) { Self.adjust(&$0, rules, next) }
        } catch {
            try onlyWithoutPower(error)
        }
        if let aside = folder.names().first(where: { $0.contains("damaged") }) { throw Wrong("moved to \(aside)") }
        setLimits()
    }

    /// Turns the machine on again after a power cut, and looks at what is left.
    ///
    /// - Parameter interrupted: how often the power goes again while the queue is being opened.
    func turnOn(seed: UInt64, interrupted: Int = 0) throws {
        var random = SeededGenerator(seed: seed)
        var left = interrupted
        repeat {
            let files = vfs.survivors(seed: random.next())
            trace.append(
                "   power cut; left are "
                    + files.map { "\($0.key): \($0.value.count) B" }.sorted().joined(separator: ", ")
            )
            let folder = TemporaryFolder()
            for (name, bytes) in files { try writeFile("\(folder.path)/\(name)", bytes) }
            try writeLock(folder)
            vfs.retire()
            let next = FaultVFS(seed: random.next())
            if left > 0 { next.cutPower(after: Int.random(in: 0..<20, using: &random)) }
            try open(folder, next)
            left -= 1
            if !vfs.isOff { vfs.set { $0.changesLeft = nil } }
        } while vfs.isOff
        try compareWithPast()
    }

    /// What is there must be what one of the commits left that were not durable yet, or the last one that was.
    private func compareWithPast() throws {
        let found = try fixture.contents(of: ids)
        let serial = serial
        guard serial >= durable else { throw Wrong("commit \(serial) is the last, and \(durable) was durable") }
        var candidates: [QueueModel] = []
        if let last = history.last, serial > last.serial {
            // The step during which the power went.
            candidates.append(inFlight ?? model)
            if rules.whenFull == .dropOldest, let inFlight, inFlight.becomesByEviction(found) { candidates = [found] }
        } else {
            if let past = history.last(where: { $0.serial <= serial }) { candidates.append(past.model) }
            if let past = history.first(where: { $0.serial >= serial }) { candidates.append(past.model) }
        }
        let differences = candidates.map { found.difference(from: $0) }
        guard differences.contains(nil) else {
            throw Wrong("commit \(serial) of \(history.last?.serial ?? 0): \(differences.compactMap(\.self))")
        }
        model = found
        inFlight = nil
        history = [(serial, model)]
        durable = serial
        try compare()
    }
}
