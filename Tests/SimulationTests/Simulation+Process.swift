// SPDX-License-Identifier: Apache-2.0
import AgentCore

// The process: its start and its ends, what the machine is told, and what it wants done.

extension Simulation {
    func touch(_ body: (inout DeliveryMachine, Instant) -> Void) {
        guard let process else { return }
        body(&process.machine, world.now)
        isTouched = true
    }

    func start() {
        log("starts")
        learntError = .zero
        mostMemory = 0
        mostRemembered = 0
        mostBatch = 0
        var fresh = DeliveryMachine(settings: settings, seed: generator.next())
        for stream in streams where !stream.opensLate || opened.contains(stream.id) { open(stream, in: &fresh) }
        process = Process(fresh)
        isTouched = true
        plan()
    }

    func open(_ stream: Scenario.Stream, in machine: inout DeliveryMachine) {
        opened.insert(stream.id)
        machine.opened(
            stream.id,
            stream.destination,
            settings: stream.settings,
            isPaused: paused.contains(stream.id),
            lastCommitted: queue.lastCommitted(stream.id)
        )
    }

    /// Stops in good order: what is under way is answered and settled, if that does not take too long.
    func stop(downFor: Duration) {
        guard process != nil, stopping == nil else { return }
        stopping = downFor
        touch { machine, _ in machine.stop() }
        let stopped = epoch
        world.after(.seconds(10)) { [unowned self] in if stopped == epoch { crash(downFor: downFor) } }
    }

    func exit(downFor: Duration) {
        log("exits")
        checker.exits()
        end(downFor: downFor)
    }

    func crash(downFor: Duration) {
        guard process != nil else { return }
        log("crashes")
        summary.crashes += 1
        checker.crashed()
        end(downFor: downFor)
    }

    private func end(downFor: Duration) {
        epoch += 1
        stopping = nil
        fuse = nil
        process = nil
        wakeAt = .never
        inFlight = [:]
        requests = 0
        queue.crash()
        kinesis.crash()
        world.after(downFor) { [unowned self] in start() }
    }

    func plan() {
        isTouched = false
        guard let process else { return }
        plansOfInstant += 1
        // Where reading takes no time, many events may be read one by one.
        if plansOfInstant > 3000 { checker.violated("the machine plans in circles") }
        let plan = process.machine.plan(now: world.now)
        for action in plan.actions {
            if let left = fuse {
                if left == 0 { return crash(downFor: .seconds(1)) }
                fuse = left - 1
            }
            perform(action)
        }
        watch(process)
        guard plan.wakeAt != .never, plan.wakeAt < wakeAt || wakeAt <= world.now else { return }
        wakeAt = plan.wakeAt
        let (planned, due) = (epoch, plan.wakeAt)
        world.at(due) { [unowned self] in
            guard planned == epoch, wakeAt == due else { return }
            wakeAt = .never
            isTouched = true
        }
    }

    func watch(_ process: Process) {
        let memory = process.machine.memoryBytes
        if memory < 0 { checker.violated("\(memory) bytes are held") }
        let references = process.machine.references
        log("holds \(memory) bytes, remembers \(references) events")
        mostMemory = max(mostMemory, settings.memoryBytes)
        mostRemembered = max(mostRemembered, settings.maxReferences)
        if memory > mostMemory + allowance { checker.violated("\(memory) bytes are held, of \(mostMemory)") }
        let heads = streams.reduce(0) { $0 + max(mostRemembered, $1.keys.count) }
        if references > heads { checker.violated("\(references) events are remembered, of \(heads)") }
        if memory > 0, requests == 0, streams.allSatisfy({ isStopped($0) }) {
            checker.violated("\(memory) bytes are held while all streams are stopped")
        }
        summary.mostOver = max(summary.mostOver, memory - settings.memoryBytes)
        summary.mostReferences = max(summary.mostReferences, references)
    }

    func isStopped(_ stream: Scenario.Stream) -> Bool {
        paused.contains(stream.id) || stream.settings.parkedBecause != nil
    }

    /// What may be held above the setting: one event of each destination that held nothing that could move, and as many
    /// as are suspect before it is parked.
    private var allowance: Int {
        streams.reduce(0) {
            let largest = $1.large > 0 ? 1 << 20 : $1.sizes.upperBound + 64
            return $0 + (largest + 64) * ($1.poison > 0 || isRefusing ? 9 : 1)
        }
    }

    private var isRefusing: Bool { scenario.weather.contains { $0.kind == .refusesAll } }

    func perform(_ action: DeliveryAction) {
        switch action {
        case .load(let request):
            log("loads \(Trace.text(request))")
            queue.load(request) { [unowned self] result in
                if let result {
                    log("loaded \(result.destination) \(result.events.map(\.id)) through \(result.through)")
                    touch { $0.loaded(result, now: $1) }
                } else {
                    touch { $0.loadFailed(request.destination, now: $1) }
                }
            }
        case .send(let batch): send(batch)
        case .cancel(let attempt):
            log("cancels \(attempt.rawValue)")
            kinesis.cancel(attempt)
        case .settle(let settlement):
            log("settles \(settlement.ids)")
            mix(2, settlement.ids.count)
            checker.asked(settlement)
            queue.settle(settlement)
        case .deadLetter(let letter):
            log("gives up \(letter.id): \(letter.code)")
            mix(3, Int(letter.id.rawValue))
            checker.asked(letter)
            queue.bury(letter)
        case .report(let report): log("\(report)")
        }
    }

    func send(_ batch: Batch) {
        let stream = streams[Int(batch.destination.rawValue) - 1]
        let request = SimulatedRequest(
            batch: batch,
            endpoint: stream.settings.endpoint,
            identity: stream.settings.identity,
            began: world.now,
            clockError: clockError - learntError,
            isOrdered: stream.settings.ordering == .key
        )
        log("sends \(batch.attempt.rawValue) to \(batch.destination): \(batch.events)")
        mix(1, batch.events.count)
        summary.requests += 1
        summary.requestsOf[batch.destination, default: 0] += 1
        requests += 1
        inFlight[batch.destination, default: 0] += 1
        if requests > settings.workers { checker.violated("\(requests) requests for \(settings.workers) workers") }
        if inFlight[batch.destination] ?? 0 > max(1, settings.workers / 2) {
            checker.violated("\(batch.destination) has more than half of the workers")
        }
        if isStopped(stream) || stopping != nil {
            checker.violated("\(batch.destination) is stopped, and sent to")
        }
        // What is tested by itself may have been put together when more was allowed.
        mostBatch = max(mostBatch, settings.maxBatchBytes)
        checker.sent(request, mostBytes: mostBatch)
        kinesis.send(request) { [unowned self] outcome, isAmbiguous in
            log("answers \(batch.attempt.rawValue): \(Trace.text(outcome))")
            requests -= 1
            inFlight[batch.destination, default: 0] -= 1
            checker.answered(request, outcome, isAmbiguous: isAmbiguous)
            if request.clockError != .zero { learntError = clockError }
            touch { $0.answered(batch.attempt, outcome, now: $1) }
        }
    }

    func mix(_ kind: UInt64, _ value: Int) {
        for word in [kind, UInt64(truncatingIfNeeded: value), UInt64(truncatingIfNeeded: world.now.nanoseconds)] {
            summary.digest = (summary.digest ^ word) &* 1_099_511_628_211
        }
    }

    /// The machine hears of a commit, with its events or only of how far it goes.
    func hear(_ commit: Commit) {
        var commit = commit
        let withholds = scenario.withholds && generator.chance(0.3)
        if withholds {
            commit.appended = commit.appended.map { .init(destination: $0.destination, events: $0.events.suffix(1)) }
        }
        touch { $0.committed(commit, handsOver: !withholds, now: $1) }
    }
}
