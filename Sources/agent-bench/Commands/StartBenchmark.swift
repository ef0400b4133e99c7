// SPDX-License-Identifier: Apache-2.0

internal import AgentControl

/// How long an agent takes from its start until it is ready, with many events queued and Kinesis out of reach.
struct StartBenchmark {
    struct Report: Encodable {
        let run: String
        let events: Int
        let starts: Int
        let readyMedianMilliseconds: Double
        let readyMaxMilliseconds: Double
        /// Until agentctl's status was answered for the first time, after READY.
        let statusMaxMilliseconds: Double
        let residentBytes: Int
        let queueFileBytes: Int

        static let columns = [
            Column("start", 20, toLeft: true), Column("queued", 11), Column("starts", 7), Column("READY ms", 9),
            Column("max ms", 8), Column("status ms", 10), Column("RSS MiB", 8), Column("file MiB", 9),
        ]

        var cells: [String] {
            [
                run, Text.grouped(events), "\(starts)", Text.fixed(readyMedianMilliseconds, 1),
                Text.fixed(readyMaxMilliseconds, 1), Text.fixed(statusMaxMilliseconds, 1),
                Text.mebibytes(residentBytes), Text.mebibytes(queueFileBytes),
            ]
        }
    }

    /// Load that is cut off by each kill, so that the write-ahead log is in the middle of something.
    private static let secondsBeforeKill = 0.3

    var events: Int
    var eventBytes: Int
    var repeats: Int

    func run(_ options: StageOptions) throws {
        Interruption.catchSignals()
        let printer = options.printer
        printer.headings(Report.columns)
        func show(_ report: Report) throws { try printer.report(report, report.cells, Report.columns) }

        let shape = LoadShape(kind: .ndjson, connections: 4, batch: 500, eventBytes: eventBytes)
        var settings = options.settings
        settings.keyPointer = shape.keyPointer
        let stage = try Stage(options.programs, settings, directory: try options.scratch())

        try show(measure(stage, "empty, after stop", acknowledged: 0) { () throws(BenchError) in 0 })
        try stage.startAgent()
        Printer.say("agent-bench: queueing \(Text.grouped(events)) events …")
        let filled = try shape.loop(to: try stage.target.address(for: .ndjson)).run(.init(events: events)).events
        try stage.stopAgent()
        try show(measure(stage, "after stop", acknowledged: filled) { () throws(BenchError) in 0 })
        let killed = try measure(stage, "after kill -9", acknowledged: filled) { () throws(BenchError) in
            try stage.startAgent()
            let loop = try shape.loop(to: try stage.target.address(for: .ndjson))
            let cut = try loop.run(.init(seconds: Self.secondsBeforeKill, abandonsAnswers: true))
            stage.killAgent()
            return cut.latencies.count * shape.batch
        }
        try show(killed)
    }

    /// - Parameters:
    ///   - acknowledged: Events that have to be there.
    ///   - prepare: Runs before each start; returns how many more were acknowledged.
    private func measure(
        _ stage: Stage,
        _ title: String,
        acknowledged: Int,
        prepare: () throws(BenchError) -> Int
    ) throws(BenchError) -> Report {
        var acknowledged = acknowledged
        var ready = Histogram()
        var status = Histogram()
        var resident = 0
        var queued = 0
        for _ in 0..<repeats {
            acknowledged += try prepare()
            ready.record(try stage.startAgent())
            let target = stage.target
            let asked = Monotonic.now()
            queued = try target.status()?.queue.events ?? 0
            status.record(Monotonic.now() - asked)
            guard queued >= acknowledged else {
                throw .miscounted("\(acknowledged) events were acknowledged and \(queued) are queued after a start.")
            }
            resident = max(resident, try target.agentFigures()?.residentBytes ?? 0)
            try stage.stopAgent()
        }
        return Report(
            run: title,
            events: queued,
            starts: repeats,
            readyMedianMilliseconds: Double(ready.quantile(0.5)) / 1e6,
            readyMaxMilliseconds: Double(ready.maximum) / 1e6,
            statusMaxMilliseconds: Double(status.maximum) / 1e6,
            residentBytes: resident,
            queueFileBytes: stage.queueFileBytes
        )
    }
}
