// SPDX-License-Identifier: Apache-2.0

/// One measured run: warm up, drain, then load, until acknowledged and until drained.
struct LoadRun {
    var shape: LoadShape
    var goal: LoadLoop.Goal
    var warmUpSeconds: Double
    /// For the report; `nil`: not known.
    var durability: String?

    /// Starts agentd and kinesis-local, and measures on them.
    func measure(_ programs: Programs, _ settings: AgentSettings, _ directory: ScratchDirectory) throws(BenchError)
        -> LoadReport
    {
        var settings = settings
        settings.stream = shape.stream
        settings.keyPointer = shape.keyPointer
        let sync = try SyncProbe.measure(in: directory)
        let stage = try Stage(programs, settings, directory: directory)
        try stage.startKinesis()
        try stage.startAgent()
        let report = try measure(stage.target, sync: sync)
        try stage.stopAgent()
        return report
    }

    /// Measures on an agent that is running.
    func measure(_ target: Target, sync: Histogram?) throws(BenchError) -> LoadReport {
        let loop = try shape.loop(to: try target.address(for: shape.kind))
        let alreadyThere = try target.kinesis?.accepted() ?? 0
        let warmUp = try loop.run(.init(seconds: warmUpSeconds))
        try target.awaitDrained(accepted: alreadyThere + warmUp.events)

        let agentBefore = try target.agentFigures()
        let kinesisBefore = try target.kinesis.map { kinesis throws(BenchError) in
            try ProcessFigures(of: kinesis.process)
        }
        let start = Monotonic.now()
        let load = try loop.run(goal)
        let arrived = try target.awaitDrained(accepted: alreadyThere + warmUp.events + load.events)
        let agentAfter = try target.agentFigures()
        let kinesisAfter = try target.kinesis.map { kinesis throws(BenchError) in
            try ProcessFigures(of: kinesis.process)
        }

        func perEvent(
            _ before: ProcessFigures?,
            _ after: ProcessFigures?,
            _ value: (ProcessFigures) -> UInt64
        ) -> Double? {
            guard let before, let after, load.events > 0 else { return nil }
            return Double(value(after) - value(before)) / 1e3 / Double(load.events)
        }
        func milliseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e6 }
        return LoadReport(
            run: shape.title,
            keys: shape.keys,
            connections: shape.connections,
            eventsPerRequest: shape.kind == .posts ? 1 : shape.batch,
            eventBytes: shape.eventBytes,
            durability: durability,
            events: load.events,
            seconds: load.seconds,
            acknowledgedPerSecond: Double(load.events) / load.seconds,
            deliveredPerSecond: arrived.map { Double(load.events) / (Double($0 - start) / 1e9) },
            agentCpuMicrosecondsPerEvent: perEvent(agentBefore, agentAfter, \.cpuNanoseconds),
            agentSystemMicrosecondsPerEvent: perEvent(agentBefore, agentAfter, \.systemNanoseconds),
            kinesisCpuMicrosecondsPerEvent: perEvent(kinesisBefore, kinesisAfter, \.cpuNanoseconds),
            acknowledgementP50Milliseconds: milliseconds(load.latencies.quantile(0.5)),
            acknowledgementP99Milliseconds: milliseconds(load.latencies.quantile(0.99)),
            acknowledgementMaxMilliseconds: milliseconds(load.latencies.maximum),
            peakResidentBytes: agentAfter?.peakResidentBytes,
            fdatasyncP50Milliseconds: sync.map { milliseconds($0.quantile(0.5)) },
            fdatasyncP99Milliseconds: sync.map { milliseconds($0.quantile(0.99)) }
        )
    }
}
