// SPDX-License-Identifier: Apache-2.0

/// How a backlog from an outage is worked off: the rate, memory, how long operators wait for a status, and whether the
/// file gives its space back.
struct BacklogBenchmark {
    struct Report: Encodable {
        let run: String
        let events: Int
        let queuedPerSecond: Double
        let readyMilliseconds: Double
        let drainedPerSecond: Double
        let agentCpuMicrosecondsPerEvent: Double
        let peakResidentBytes: Int
        let statusP50Milliseconds: Double
        let statusMaxMilliseconds: Double
        let queueFileBytesBefore: Int
        let queueFileBytesAfter: Int
        let writeAheadLogBytesAfter: Int
        /// From the last event's delivery until the file's last change, at most ``patienceSeconds``.
        let shrinkingSeconds: Double

        static let columns = [
            Column("backlog", 9, toLeft: true), Column("events", 11), Column("queued/s", 9), Column("READY ms", 9),
            Column("drained/s", 10), Column("CPU µs/ev", 10), Column("peak MiB", 9), Column("status p50/max ms", 18),
            Column("file MiB before → after", 24), Column("WAL MiB", 8), Column("shrinking s", 12),
        ]

        var cells: [String] {
            [
                run, Text.grouped(events), Text.grouped(queuedPerSecond), Text.fixed(readyMilliseconds, 1),
                Text.grouped(drainedPerSecond), Text.fixed(agentCpuMicrosecondsPerEvent, 2),
                Text.mebibytes(peakResidentBytes),
                "\(Text.fixed(statusP50Milliseconds, 1))/\(Text.fixed(statusMaxMilliseconds, 1))",
                "\(Text.mebibytes(queueFileBytesBefore)) → \(Text.mebibytes(queueFileBytesAfter))",
                Text.mebibytes(writeAheadLogBytesAfter), Text.fixed(shrinkingSeconds, 1),
            ]
        }
    }

    private static let patienceSeconds = 60.0
    private static let quietSeconds = 5.0
    private static let secondsBetweenStatuses = 0.5

    var events: Int
    var shallowEvents: Int
    var shape: LoadShape

    func run(_ options: StageOptions) throws {
        Interruption.catchSignals()
        let printer = options.printer
        printer.headings(Report.columns)
        for (title, count) in [("shallow", shallowEvents), ("deep", events)] {
            var settings = options.settings
            settings.keyPointer = shape.keyPointer
            let stage = try Stage(options.programs, settings, directory: try options.scratch())
            let report = try measure(stage, title, events: count)
            try printer.report(report, report.cells, Report.columns)
        }
    }

    private func measure(_ stage: Stage, _ title: String, events: Int) throws(BenchError) -> Report {
        // The outage: there is no Kinesis yet.
        try stage.startAgent()
        let fill = try shape.loop(to: try stage.target.address(for: shape.kind)).run(.init(events: events))
        try stage.stopAgent()
        let fileBefore = stage.queueFileBytes

        try stage.startKinesis()
        let ready = try stage.startAgent()
        let target = stage.target
        var statuses = Histogram()
        let start = Monotonic.now()
        var nextStatus = start
        let arrived = try target.awaitDrained(accepted: fill.events) { () throws(BenchError) in
            let now = Monotonic.now()
            guard now >= nextStatus else { return }
            nextStatus = now + UInt64(Self.secondsBetweenStatuses * 1e9)
            _ = try target.status()
            statuses.record(Monotonic.now() - now)
        }
        let drained = Monotonic.now()
        let figures = try target.agentFigures()
        let shrinkingSeconds = try awaitShrinking(stage)
        let report = Report(
            run: title,
            events: fill.events,
            queuedPerSecond: Double(fill.events) / fill.seconds,
            readyMilliseconds: Double(ready) / 1e6,
            drainedPerSecond: Double(fill.events) / (Double((arrived ?? drained) - start) / 1e9),
            agentCpuMicrosecondsPerEvent: Double(figures?.cpuNanoseconds ?? 0) / 1e3 / Double(fill.events),
            peakResidentBytes: figures?.peakResidentBytes ?? 0,
            statusP50Milliseconds: Double(statuses.quantile(0.5)) / 1e6,
            statusMaxMilliseconds: Double(statuses.maximum) / 1e6,
            queueFileBytesBefore: fileBefore,
            queueFileBytesAfter: stage.queueFileBytes,
            writeAheadLogBytesAfter: stage.writeAheadLogBytes,
            shrinkingSeconds: shrinkingSeconds
        )
        try stage.stopAgent()
        return report
    }

    /// Waits until the file has been the same for a while.
    private func awaitShrinking(_ stage: Stage) throws(BenchError) -> Double {
        let start = Monotonic.now()
        var (size, changedAt) = (stage.queueFileBytes, start)
        while Monotonic.seconds(since: changedAt) < Self.quietSeconds,
            Monotonic.seconds(since: start) < Self.patienceSeconds
        {
            try Monotonic.pause(milliseconds: 50)
            let now = stage.queueFileBytes
            if now != size { (size, changedAt) = (now, Monotonic.now()) }
        }
        return Double(changedAt - start) / 1e9
    }
}
