// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The real machine in a simulated process, between a model of the queue and a simulated Kinesis.
final class Simulation {
    /// What a run showed, for tests that look closer.
    struct Summary {
        var events = 0
        var requests = 0
        var duplicates = 0
        var crashes = 0
        /// From the calm to the last fate.
        var drainedAfter = Duration.zero
        /// How far memory went past its setting, at most, in bytes.
        var mostOver = 0
        var mostReferences = 0
        /// Hash over all that was done.
        var digest: UInt64 = 14_695_981_039_346_656_037
    }

    final class Process {
        var machine: DeliveryMachine
        init(_ machine: consuming DeliveryMachine) { self.machine = machine }
    }

    let scenario: Scenario
    let world = VirtualWorld()
    let queue: ModelQueue
    let kinesis: SimulatedKinesis
    let checker: Checker
    private(set) var summary = Summary()
    private(set) var trace: [String] = []

    /// `nil` while the process is down.
    var process: Process?
    var generator: SeededGenerator
    var settings: DeliverySettings
    var streams: [Scenario.Stream]
    var paused: Set<DestinationID> = []
    private let keepsTrace: Bool
    private var inFlight: [DestinationID: Int] = [:]
    private var requests = 0
    private var isTouched = false
    private var wakeAt = Instant.never
    private var epoch = 0
    private var plansOfInstant = 0
    var nextToken: UInt64 = 1
    var poisoned = 0
    /// The highest settings of this process.
    private var mostMemory = 0
    private var mostRemembered = 0
    private var mostBatch = 0

    init(_ scenario: Scenario, keepsTrace: Bool = false) {
        self.scenario = scenario
        self.keepsTrace = keepsTrace
        var generator = SeededGenerator(seed: scenario.seed ^ 0x5eed)
        queue = ModelQueue(world: world, generator: generator.fork())
        kinesis = SimulatedKinesis(world: world, generator: generator.fork(), limits: scenario.limits)
        checker = Checker(queue: queue, now: { [world] in world.now })
        settings = scenario.settings
        streams = scenario.streams
        self.generator = generator
        queue.delays = scenario.queue
        kinesis.latencyMS = scenario.latencyMS
        kinesis.weather = scenario.weather
        wire()
    }

    private func wire() {
        queue.onAppended = { [unowned self] id, row in checker.appended(id, row) }
        queue.onFate = { [unowned self] id, row in
            log("event \(id) \(row.fate.map { "\($0)" } ?? "")")
            checker.met(id, row)
        }
        queue.onCommit = { [unowned self] commit in
            log("committed \(Trace.text(commit))")
            checker.reported(commit)
            hear(commit)
        }
        kinesis.onArrival = { [unowned self] request, index in
            log("arrives \(request.batch.events[index]) of attempt \(request.batch.attempt.rawValue)")
            checker.arrived(request, index)
        }
        checker.largestRecord = { [unowned self] id in streams[Int(id.rawValue) - 1].settings.maxRecordBytes }
    }

    // MARK: Running

    /// Runs to the end: until all is drained, or a law is broken.
    func run() -> String? {
        for stream in streams { kinesis.create(stream.destination, shards: stream.shards) }
        for (index, count) in scenario.backlog.enumerated() {
            queue.preload((0..<count).map { _ in draft(of: streams[index]) })
        }
        start()
        for (at, deed) in scenario.deeds { world.at(at) { [unowned self] in perform(deed) } }
        world.at(scenario.calm) { [unowned self] in calmDown() }
        while checker.violation == nil, !isDone { step() }
        if checker.violation == nil { finish() }
        summary.events = queue.rows.count
        summary.duplicates = checker.duplicates
        summary.drainedAfter = world.now - calmSince
        return checker.violation
    }

    var isDone: Bool { world.now >= scenario.calm && queue.queued == 0 && isDrained && isCalm }
    var isCalm = false
    var calmSince = Instant.zero
    private var isDrained: Bool { process?.machine.isDrained ?? false }

    private func step() {
        guard world.next != nil else { return checker.violated("nothing will happen any more: \(stuck)") }
        let before = world.now
        world.step()
        if world.now > before { plansOfInstant = 0 }
        if isTouched { plan() }
        if isCalm, world.now > calmSince + bound { checker.violated("not drained after \(bound): \(stuck)") }
    }

    /// How long all that is queued when the faults end may take.
    ///
    /// A probe waits up to 20 s; an event of a busy key takes a round trip and a commit. Each event that Kinesis refuses
    /// without naming it takes two probes, and others that are accepted between them.
    private var bound: Duration {
        .seconds(240) + .milliseconds(400) * queue.rows.count + .seconds(45) * poisoned
    }

    private var stuck: String {
        let left = queue.rows.filter { $0.fate == nil }
        let events = left.prefix(5).map { "\($0.event.id) of \($0.destination)" }.joined(separator: ", ")
        return "\(left.count) events left (\(events)), drained: \(isDrained), \(requests) requests"
    }

    private func finish() {
        checker.finish()
        guard let process else { return }
        let (bytes, references) = (process.machine.memoryBytes, process.machine.references)
        if bytes != 0 || references != 0 {
            checker.violated("\(bytes) bytes and \(references) references are held when all is drained")
        }
    }

    func log(_ line: @autoclosure () -> String) {
        if keepsTrace { trace.append("\(world.now.nanoseconds / 1000) µs: \(line())") }
    }

    // MARK: The process

    func touch(_ body: (inout DeliveryMachine, Instant) -> Void) {
        guard let process else { return }
        body(&process.machine, world.now)
        isTouched = true
    }

    private func start() {
        log("starts")
        mostMemory = 0
        mostRemembered = 0
        mostBatch = 0
        var fresh = DeliveryMachine(settings: settings, seed: generator.next())
        for stream in streams {
            fresh.opened(
                stream.id,
                stream.destination,
                settings: stream.settings,
                isPaused: paused.contains(stream.id),
                lastCommitted: queue.lastCommitted(stream.id)
            )
        }
        process = Process(fresh)
        isTouched = true
        plan()
    }

    func crash(downFor: Duration) {
        guard process != nil else { return }
        log("crashes")
        summary.crashes += 1
        epoch += 1
        process = nil
        wakeAt = .never
        inFlight = [:]
        requests = 0
        queue.crash()
        kinesis.crash()
        checker.crashed()
        world.after(downFor) { [unowned self] in start() }
    }

    private func plan() {
        isTouched = false
        guard let process else { return }
        plansOfInstant += 1
        if plansOfInstant > 200 { checker.violated("the machine plans in circles") }
        let plan = process.machine.plan(now: world.now)
        for action in plan.actions { perform(action) }
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

    private func watch(_ process: Process) {
        let memory = process.machine.memoryBytes
        if memory < 0 { checker.violated("\(memory) bytes are held") }
        let references = process.machine.references
        log("holds \(memory) bytes, remembers \(references) events")
        mostMemory = max(mostMemory, settings.memoryBytes)
        mostRemembered = max(mostRemembered, settings.maxReferences)
        if memory > mostMemory + allowance { checker.violated("\(memory) bytes are held, of \(mostMemory)") }
        let heads = streams.reduce(0) { $0 + max(mostRemembered, $1.keys.count) }
        if references > heads { checker.violated("\(references) events are remembered, of \(heads)") }
        summary.mostOver = max(summary.mostOver, memory - settings.memoryBytes)
        summary.mostReferences = max(summary.mostReferences, references)
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

    private func perform(_ action: DeliveryAction) {
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

    private func send(_ batch: Batch) {
        let stream = streams[Int(batch.destination.rawValue) - 1]
        let request = SimulatedRequest(
            batch: batch,
            endpoint: stream.settings.endpoint,
            identity: stream.settings.identity,
            began: world.now,
            isOrdered: stream.settings.ordering == .key
        )
        log("sends \(batch.attempt.rawValue) to \(batch.destination): \(batch.events)")
        mix(1, batch.events.count)
        summary.requests += 1
        requests += 1
        inFlight[batch.destination, default: 0] += 1
        if requests > settings.workers { checker.violated("\(requests) requests for \(settings.workers) workers") }
        if inFlight[batch.destination] ?? 0 > max(1, settings.workers / 2) {
            checker.violated("\(batch.destination) has more than half of the workers")
        }
        if paused.contains(batch.destination) || stream.settings.parkedBecause != nil {
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
            touch { $0.answered(batch.attempt, outcome, now: $1) }
        }
    }

    private func mix(_ kind: UInt64, _ value: Int) {
        for word in [kind, UInt64(truncatingIfNeeded: value), UInt64(truncatingIfNeeded: world.now.nanoseconds)] {
            summary.digest = (summary.digest ^ word) &* 1_099_511_628_211
        }
    }

    /// The machine hears of a commit, with its events or only of how far it goes.
    private func hear(_ commit: Commit) {
        var commit = commit
        let withholds = scenario.withholds && generator.chance(0.3)
        if withholds {
            commit.appended = commit.appended.map { .init(destination: $0.destination, events: $0.events.suffix(1)) }
        }
        touch { $0.committed(commit, handsOver: !withholds, now: $1) }
    }
}
