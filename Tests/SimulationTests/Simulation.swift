// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The real machine in a simulated process, between a model of the queue and a simulated Kinesis.
final class Simulation {
    /// What a run showed, for tests that look closer.
    struct Summary {
        var events = 0
        var requests = 0
        var requestsOf: [DestinationID: Int] = [:]
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
    var summary = Summary()
    private(set) var trace: [String] = []

    /// `nil` while the process is down.
    var process: Process?
    var generator: SeededGenerator
    var settings: DeliverySettings
    var streams: [Scenario.Stream]
    var paused: Set<DestinationID> = []
    /// Those that a process was told of: some come only with their first event.
    var opened: Set<DestinationID> = []
    private let keepsTrace: Bool
    var inFlight: [DestinationID: Int] = [:]
    var requests = 0
    var isTouched = false
    var wakeAt = Instant.never
    var epoch = 0
    var plansOfInstant = 0
    var nextToken: UInt64 = 1
    var poisoned = 0
    /// How far the machine's clock is off, and how much of it the sender has learnt.
    var clockError = Duration.zero
    var learntError = Duration.zero
    /// For how long the process will be down, once it has stopped in good order.
    var stopping: Duration?
    /// The process dies after so many more actions.
    var fuse: Int?
    /// The highest settings of this process.
    var mostMemory = 0
    var mostRemembered = 0
    var mostBatch = 0

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
        queue.limits = scenario.queueLimits
        kinesis.latencyMS = scenario.latencyMS
        kinesis.weather = scenario.weather
        kinesis.namesShards = scenario.namesShards
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
        queue.onAnswer = { [unowned self] ids in checker.acknowledged(ids) }
        kinesis.onArrival = { [unowned self] request, index in
            log("arrives \(request.batch.events[index]) of attempt \(request.batch.attempt.rawValue)")
            checker.arrived(request, index)
        }
        checker.largestRecord = { [unowned self] id in streams[Int(id.rawValue) - 1].settings.maxRecordBytes }
    }

    // MARK: Running

    /// Runs until all is drained, or a law is broken.
    ///
    /// - Parameter end: Stop there, whatever is left.
    /// - Returns: The law that was broken.
    func run(until end: Instant = .never) -> String? {
        for stream in streams { kinesis.create(stream.destination, shards: stream.shards) }
        for (index, count) in scenario.backlog.enumerated() {
            queue.preload((0..<count).map { _ in draft(of: streams[index]) })
        }
        start()
        for (at, deed) in scenario.deeds { world.at(at) { [unowned self] in perform(deed) } }
        if queue.limits.maxAge != nil { expire() }
        world.at(scenario.calm) { [unowned self] in calmDown() }
        while checker.violation == nil, !isDone, world.now < end { step() }
        if checker.violation == nil, isDone { finish() }
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
        if let downFor = stopping, requests == 0, queue.isIdle { exit(downFor: downFor) }
        if isCalm, world.now > calmSince + bound { checker.violated("not drained after \(bound): \(stuck)") }
    }

    /// How long all that is queued when the faults end may take.
    ///
    /// A probe waits up to 20 s; an event of a busy key takes a round trip and a commit. Each event that Kinesis refuses
    /// without naming it takes two probes, and others that are accepted between them.
    private var bound: Duration {
        .seconds(240) + .milliseconds(400) * queue.rows.count + .seconds(45) * poisoned
            // What shards with little capacity need for large events, twice over.
            + .seconds(2 * Double(queue.rows.reduce(0) { $0 + $1.event.recordBytes }) / scenario.limits.bytes)
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
}
