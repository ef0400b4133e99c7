// SPDX-License-Identifier: Apache-2.0

internal import AgentControl

/// What a healthy stream gets delivered, alone and beside sick ones: the same load, from an agent that was just started.
struct IsolationBenchmark {
    struct Report: Encodable {
        let run: String
        let sickStreams: Int
        let deliveredPerSecond: Double
        let acknowledgementP99Milliseconds: Double
        let drainedSeconds: Double
        let peakResidentBytes: Int
        /// Of the rate of the run without sick streams; `nil` there.
        let share: Double?

        static let columns = [
            Column("run", 9, toLeft: true), Column("sick", 5), Column("deliv./s", 10), Column("ack p99 ms", 11),
            Column("drained s", 10), Column("peak MiB", 9), Column("share", 7),
        ]

        var cells: [String] {
            [
                run, "\(sickStreams)", Text.grouped(deliveredPerSecond),
                Text.fixed(acknowledgementP99Milliseconds, 1), Text.fixed(drainedSeconds, 2),
                Text.mebibytes(peakResidentBytes), share.map { Text.fixed($0 * 100, 1) + " %" } ?? "-",
            ]
        }
    }

    private struct Measured {
        var delivered = 0.0
        var p99 = 0.0
        var drained = 0.0
        var peak = 0
    }

    private static let stream = "bench"
    private static let patienceSeconds = 60.0

    var hanging: Int
    var rate: Double
    var seconds: Double
    var pairs: Int
    var sickEvents: Int
    var settleSeconds: Double

    func run(_ options: StageOptions) throws {
        Interruption.catchSignals()
        var alone: [Measured] = []
        var beside: [Measured] = []
        var sick = 0
        for _ in 0..<pairs {
            alone.append(try measure(options, beside: nil))
            let streams = try SickStreams(hanging: hanging)
            sick = streams.streams.count
            beside.append(try measure(options, beside: streams))
        }
        let printer = options.printer
        printer.headings(Report.columns)
        let base = Self.middle(alone)
        for (title, measured, share) in [
            ("alone", base, nil), ("beside", Self.middle(beside), Self.middle(beside).delivered / base.delivered),
        ] {
            let report = Report(
                run: title,
                sickStreams: share == nil ? 0 : sick,
                deliveredPerSecond: measured.delivered,
                acknowledgementP99Milliseconds: measured.p99,
                drainedSeconds: measured.drained,
                peakResidentBytes: measured.peak,
                share: share
            )
            try printer.report(report, report.cells, Report.columns)
        }
    }

    private static func middle(_ runs: [Measured]) -> Measured {
        runs.sorted { $0.delivered < $1.delivered }[runs.count / 2]
    }

    private func measure(_ options: StageOptions, beside sick: SickStreams?) throws -> Measured {
        var settings = options.settings
        let shape = LoadShape(kind: .ndjson, connections: 4, batch: 100, stream: Self.stream)
        settings.keyPointer = shape.keyPointer
        settings.sick = sick
        let stage = try Stage(options.programs, settings, directory: try options.scratch())
        try stage.startKinesis()
        try stage.startAgent()
        let target = stage.target
        let loop = try shape.loop(to: try target.address(for: .ndjson))
        for stream in sick?.streams ?? [] {
            let keys = stream.isHot ? 1 : 1000
            let events = LoadShape(kind: .lines, connections: 1, batch: 100, keys: keys, stream: stream.name)
            _ = try events.loop(to: try target.address(for: .lines)).run(.init(events: sickEvents))
        }
        if sick != nil { try Monotonic.pause(milliseconds: Int(settleSeconds * 1000)) }
        var before = try loop.run(.init(seconds: 2, rate: rate)).events
        try awaitDelivered(before, target)
        let start = Monotonic.now()
        let load = try loop.run(.init(seconds: seconds, rate: rate))
        let ended = Monotonic.now()
        before += load.events
        try awaitDelivered(before, target)
        let now = Monotonic.now()
        let measured = Measured(
            delivered: Double(load.events) / (Double(now - start) / 1e9),
            p99: Double(load.latencies.quantile(0.99)) / 1e6,
            drained: Double(now - ended) / 1e9,
            peak: try target.agentFigures()?.peakResidentBytes ?? 0
        )
        try stage.stopAgent()
        return measured
    }

    private func awaitDelivered(_ count: Int, _ target: Target) throws(BenchError) {
        let deadline = Monotonic.after(seconds: Self.patienceSeconds)
        while true {
            let delivered = try target.status()?.streams.first { $0.name == Self.stream }?.delivered ?? 0
            if delivered == count { return }
            guard delivered < count, Monotonic.now() < deadline else {
                throw .miscounted("Of \(count) events, \(delivered) were delivered.")
            }
            try Monotonic.pause(milliseconds: 10)
        }
    }
}
