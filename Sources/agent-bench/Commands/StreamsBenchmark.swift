// SPDX-License-Identifier: Apache-2.0

internal import AgentControl

/// What the number of streams costs: of those that events go to, and of those that are only there.
struct StreamsBenchmark {
    struct Report: Encodable {
        let run: String
        let activeStreams: Int
        let listedStreams: Int
        let events: Int
        let acknowledgedPerSecond: Double
        let deliveredPerSecond: Double
        let agentCpuMicrosecondsPerEvent: Double
        let peakResidentBytes: Int
        /// Of the delivered rate of ``StreamsBenchmark/comparedStreams`` active streams; `nil`: that was not measured yet.
        var rateOfTen: Double?
        /// Of the CPU an event with one stream.
        var cpuOfOne: Double?

        static let columns = [
            Column("active", 7), Column("listed", 7), Column("events", 10), Column("events/s", 9),
            Column("deliv./s", 9), Column("CPU µs/ev", 10), Column("peak MiB", 9), Column("rate / 10's", 11),
            Column("CPU / 1's", 9),
        ]

        var cells: [String] {
            [
                Text.grouped(activeStreams), Text.grouped(listedStreams), Text.grouped(events),
                Text.grouped(acknowledgedPerSecond), Text.grouped(deliveredPerSecond),
                Text.fixed(agentCpuMicrosecondsPerEvent, 2), Text.mebibytes(peakResidentBytes),
                rateOfTen.map { Text.fixed($0, 2) } ?? "-", cpuOfOne.map { Text.fixed($0, 2) } ?? "-",
            ]
        }
    }

    static let comparedStreams = 10
    private static let prefix = "bench-"
    /// Until the agent has written what was delivered, which is part of what events cost.
    private static let settleMilliseconds = 1500
    private static let patienceSeconds = 30.0

    var most: Int
    var listed: Int
    var seconds: Double
    var repeats: Int
    var shape: LoadShape

    func run(_ options: StageOptions) throws {
        Interruption.catchSignals()
        let printer = options.printer
        printer.headings(Report.columns)
        let active = [1, Self.comparedStreams, 32, 33, 100].filter { $0 < most } + [most]
        var ten: Double?
        var one: Double?
        for (active, listed) in active.map({ ($0, $0) }) + [(1, listed)] {
            var runs: [Report] = []
            for _ in 0..<repeats { runs.append(try measure(options, active: active, listed: listed)) }
            var report = runs.sorted { $0.deliveredPerSecond < $1.deliveredPerSecond }[repeats / 2]
            if active == Self.comparedStreams { ten = report.deliveredPerSecond }
            if active == 1, one == nil { one = report.agentCpuMicrosecondsPerEvent }
            report.rateOfTen = ten.map { report.deliveredPerSecond / $0 }
            report.cpuOfOne = one.map { report.agentCpuMicrosecondsPerEvent / $0 }
            try printer.report(report, report.cells, Report.columns)
        }
    }

    private func measure(_ options: StageOptions, active: Int, listed: Int) throws -> Report {
        var settings = options.settings
        var shape = shape
        shape.stream = Self.prefix
        shape.streams = active
        let others = NumberedStreams(prefix: Self.prefix, numbers: 1..<listed, keyPointer: shape.keyPointer)
        settings.stream = others.name(0)
        settings.keyPointer = shape.keyPointer
        settings.others = [others]
        let stage = try Stage(options.programs, settings, directory: try options.scratch())
        try stage.startKinesis()
        try stage.startAgent()
        let target = stage.target
        let loop = try shape.loop(to: try target.address(for: shape.kind))

        let warmUp = try loop.run(.init(seconds: 1)).events
        _ = try target.awaitArrived(warmUp)
        try Monotonic.pause(milliseconds: Self.settleMilliseconds)

        // The agent is not asked for its status before the figures are taken: with thousands of streams that costs it.
        let before = try target.agentFigures()
        let start = Monotonic.now()
        let load = try loop.run(.init(seconds: seconds))
        let arrived = try target.awaitArrived(warmUp + load.events) ?? Monotonic.now()
        try Monotonic.pause(milliseconds: Self.settleMilliseconds)
        let after = try target.agentFigures()

        try check(target, events: warmUp + load.events, active: active)
        try stage.stopAgent()
        let cpu = Double((after?.cpuNanoseconds ?? 0) - (before?.cpuNanoseconds ?? 0))
        return Report(
            run: shape.kind.rawValue,
            activeStreams: active,
            listedStreams: listed,
            events: load.events,
            acknowledgedPerSecond: Double(load.events) / load.seconds,
            deliveredPerSecond: Double(load.events) / (Double(arrived - start) / 1e9),
            agentCpuMicrosecondsPerEvent: cpu / 1e3 / Double(max(1, load.events)),
            peakResidentBytes: after?.peakResidentBytes ?? 0
        )
    }

    /// - Throws: Unless each stream has the events of its requests, once each, and nothing is left.
    private func check(_ target: Target, events: Int, active: Int) throws(BenchError) {
        // So many events are for one stream before it is the next one's turn.
        let turn = shape.kind == .ndjson || shape.kind == .putrecords ? shape.batch : 1
        let turns = events / turn
        let streams = try target.kinesis?.streams() ?? [:]
        let names = NumberedStreams(prefix: Self.prefix, numbers: 0..<active)
        for number in names.numbers {
            let wanted = (turns / active + (number < turns % active ? 1 : 0)) * turn
            let accepted = streams[names.name(number)]?.acceptedRecords ?? 0
            guard accepted == wanted else {
                throw .miscounted("Of \(wanted) acknowledged events of \(names.name(number)), Kinesis has \(accepted).")
            }
        }
        let deadline = Monotonic.after(seconds: Self.patienceSeconds)
        while let queued = try target.status()?.queue.events, queued > 0 {
            guard Monotonic.now() < deadline else {
                throw .stalled("\(queued) events are queued though Kinesis has all.")
            }
            try Monotonic.pause(milliseconds: 100)
        }
    }
}
