// SPDX-License-Identifier: Apache-2.0

internal import AgentControl

/// What a healthy stream gets delivered before and beside sick ones, and what those cost the agent by themselves.
struct SickBenchmark {
    private static let healthy = "bench"
    private static let countedSeconds = 2.0
    /// For what the healthy stream got to be delivered, after the load.
    private static let deliverySeconds = 10.0

    var kinds: [Sickness]
    var sizes: Sickness.Sizes
    /// Of the healthy stream, in events a second; `nil`: as many as it can.
    var rate: Double?
    var seconds: Double
    var settleSeconds: Double
    var idleSeconds: Double
    var recoverySeconds: Double

    func run(_ options: StageOptions) throws {
        Interruption.catchSignals()
        let printer = options.printer
        printer.headings(SickReport.columns)
        for kind in kinds {
            let report = try measure(kind, options)
            try printer.report(report, report.cells, SickReport.columns)
        }
    }

    private func measure(_ kind: Sickness, _ options: StageOptions) throws -> SickReport {
        var settings = options.settings
        let port = try Address.freePort()
        let streams = kind.streams(sizes, endpoint: "http://127.0.0.1:\(port)")
        let shape = LoadShape(kind: .ndjson, connections: 4, batch: 100, stream: Self.healthy)
        settings.stream = Self.healthy
        settings.keyPointer = shape.keyPointer
        settings.others = [streams]
        let stage = try Stage(options.programs, settings, directory: try options.scratch())
        try stage.startKinesis()
        try stage.directory.write(kind.faults, to: "sick.json")
        let arguments = ["--stream", "\(streams.pattern):\(kind.shards)", "--discard"]
        var endpoint: LocalKinesis?
        if kind.hasEndpoint {
            let faults = ["--faults", stage.directory.file("sick.json")]
            endpoint = try stage.startKinesis("sick", port: port, arguments + faults)
        }
        try stage.startAgent()
        let target = stage.target

        let loop = try shape.loop(to: try target.address(for: .ndjson))
        var posted = 0
        _ = try deliver(loop, target, seconds: 1, &posted)
        let alone = try deliver(loop, target, seconds: seconds, &posted)

        let fellSick = Monotonic.now()
        let sickLoop = try kind.load(sizes).loop(to: try target.address(for: .lines))
        let sickPosted = try sickLoop.run(.init(events: kind.events(sizes))).events
        try pause(until: fellSick + UInt64(Self.countedSeconds * 1e9))
        let early = try endpoint?.figures.requests()
        try pause(until: fellSick + UInt64((Self.countedSeconds + settleSeconds) * 1e9))

        let before = try Moment(target, endpoint?.figures, kind)
        try pause(until: before.at + UInt64(idleSeconds * 1e9))
        let after = try Moment(target, endpoint?.figures, kind)

        let beside = try deliver(loop, target, seconds: seconds, &posted)
        let peak = try target.agentFigures()?.peakResidentBytes ?? 0
        let requests = try endpoint?.figures.requests()

        try endpoint?.figures.clearFaults()
        if endpoint == nil { endpoint = try stage.startKinesis("sick", port: port, arguments) }
        let recovered = try recover(kind, target, endpoint?.figures, posted: posted, sickPosted: sickPosted)
        try stage.stopAgent()

        let wall = Double(after.at - before.at) / 1e9
        let well = after.healthyShard.accepted - before.healthyShard.accepted
        let wasted = after.healthyShard.throttled - before.healthyShard.throttled
        return SickReport(
            run: kind.rawValue,
            sickStreams: streams.numbers.count,
            sickEvents: sickPosted,
            alonePerSecond: alone,
            besidePerSecond: beside,
            share: beside / alone,
            agentCpuShare: Double(after.cpuNanoseconds - before.cpuNanoseconds) / 1e9 / wall,
            agentReadBytesPerSecond: Double(after.readBytes - before.readBytes) / wall,
            requestsInTwoSeconds: early,
            requests: requests,
            healthyShardPerSecond: kind.healthyShard.map { _ in Double(well) / wall },
            healthyShardWasted: kind.healthyShard.map { _ in Double(wasted) / Double(max(1, well + wasted)) },
            peakResidentBytes: peak,
            recoveredSeconds: recovered
        )
    }

    /// Figures of which differences are taken.
    private struct Moment {
        let at: UInt64
        let cpuNanoseconds: UInt64
        let readBytes: Int
        let healthyShard: (accepted: Int, throttled: Int)

        init(_ target: Target, _ endpoint: KinesisFigures?, _ kind: Sickness) throws(BenchError) {
            let shards = try kind.healthyShard == nil ? [] : endpoint?.streams().values.first?.shards ?? []
            healthyShard = kind.healthyShard.map { (shards[$0].acceptedRecords, shards[$0].throttledRecords) } ?? (0, 0)
            let figures = try target.agentFigures()
            cpuNanoseconds = figures?.cpuNanoseconds ?? 0
            readBytes = figures?.readBytes ?? 0
            at = Monotonic.now()
        }
    }

    private func pause(until end: UInt64) throws(BenchError) {
        while Monotonic.now() < end { try Monotonic.pause(milliseconds: 5) }
    }

    /// Brings load to the healthy stream until Kinesis has it, or for as long as one is to wait for that.
    ///
    /// - Parameter posted: How much that stream got so far.
    /// - Returns: Events a second.
    private func deliver(
        _ loop: LoadLoop,
        _ target: Target,
        seconds: Double,
        _ posted: inout Int
    ) throws(BenchError) -> Double {
        let there = try target.kinesis?.accepted() ?? 0
        let start = Monotonic.now()
        posted += try loop.run(.init(seconds: seconds, rate: rate)).events
        let deadline = Monotonic.after(seconds: Self.deliverySeconds)
        while true {
            let arrived = try target.kinesis?.accepted() ?? 0
            let now = Monotonic.now()
            if arrived >= posted || now >= deadline { return Double(arrived - there) / (Double(now - start) / 1e9) }
            try Monotonic.pause(milliseconds: 10)
        }
    }

    /// Waits until all is delivered, and checks that nothing is missing.
    ///
    /// - Returns: Seconds; `nil`: not in time.
    private func recover(
        _ kind: Sickness,
        _ target: Target,
        _ endpoint: KinesisFigures?,
        posted: Int,
        sickPosted: Int
    ) throws(BenchError) -> Double? {
        func arrived() throws(BenchError) -> Int { try (target.kinesis?.accepted() ?? 0) + (endpoint?.accepted() ?? 0) }
        let start = Monotonic.now()
        let all = posted + sickPosted
        var seconds: Double?
        while Monotonic.seconds(since: start) < recoverySeconds {
            if try arrived() >= all - kind.deadLetters {
                seconds = Monotonic.seconds(since: start)
                break
            }
            try Monotonic.pause(milliseconds: 20)
        }
        // What is delivered may be queued a moment longer: until that was written.
        let deadline = Monotonic.after(seconds: seconds == nil ? 0 : 30)
        while true {
            let status = try target.status()
            let queued = status?.queue.events ?? 0
            let arrived = try arrived()
            let buried = status?.queue.deadLetters ?? 0
            if seconds == nil ? arrived + queued + buried >= all : queued == 0 && arrived + buried == all {
                return seconds
            }
            guard Monotonic.now() < deadline else {
                throw .miscounted(
                    "Of \(all) acknowledged events (\(kind.rawValue)), Kinesis has \(arrived), \(queued) are queued and "
                        + "\(buried) are dead letters."
                )
            }
            try Monotonic.pause(milliseconds: 50)
        }
    }
}
