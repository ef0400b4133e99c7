// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// What every benchmark of load takes.
struct LoadOptions: ParsableArguments {
    @OptionGroup(title: "The programs")
    var stage: StageOptions

    @Option(help: "Stop after so many events.")
    var events: Int?

    @Option(help: "Stop after so long (default: 5, where --events is not given).")
    var seconds: Double?

    @Option(help: "Seconds of load before figures are taken.")
    var warmUp = 1.0

    @Option(help: "Bytes of an event, which is JSON.")
    var eventBytes = 300

    @Option(help: "How many partition keys there are; 0: events have none (default: 10000, then 0).")
    var keys: Int?

    @Option(help: "The stream to post to.")
    var stream = "bench"

    @Option(
        help: ArgumentHelp(
            "Drive an agent that is running, at IPv4:PORT or the path of its socket, instead of starting one.",
            valueName: "address"
        )
    )
    var agent: Address?

    @Option(help: ArgumentHelp("The control socket of that agent, to wait until it is drained.", valueName: "path"))
    var control: String?

    @Option(help: "The process of that agent, for its CPU and memory.")
    var pid: Int32?

    mutating func validate() throws {
        guard eventBytes >= EventText.smallest, eventBytes <= 1 << 20 else {
            throw ValidationError("--event-bytes is \(EventText.smallest)...1048576.")
        }
        guard (events ?? 1) > 0, (seconds ?? 1) > 0, warmUp >= 0 else {
            throw ValidationError("--events and --seconds are more than 0, --warm-up is not less.")
        }
        guard (0...99_999_999).contains(keys ?? 0) else { throw ValidationError("--keys is 0...99999999.") }
        if agent == nil, control != nil || pid != nil {
            throw ValidationError("--control and --pid belong to an agent that is named with --agent.")
        }
        if pid != nil, control == nil {
            throw ValidationError("--pid wants --control too: CPU is counted until the agent is drained.")
        }
    }

    /// Runs a shape with the keys that were asked for, or with and without keys, and prints each report.
    /// - Parameter continuing: The headings are there already.
    func run(_ kind: RequestTemplate.Kind, connections: Int, batch: Int, continuing: Bool = false) throws {
        Interruption.catchSignals()
        let printer = stage.printer
        if !continuing { printer.headings(LoadReport.columns) }
        for keys in keys.map({ [$0] }) ?? [10_000, 0] {
            let run = LoadRun(
                shape: LoadShape(
                    kind: kind,
                    connections: connections,
                    batch: batch,
                    eventBytes: eventBytes,
                    keys: keys,
                    stream: stream
                ),
                goal: .init(events: events, seconds: seconds ?? (events == nil ? 5 : nil)),
                warmUpSeconds: warmUp,
                durability: agent == nil ? stage.durability : nil
            )
            let report =
                if let agent {
                    try run.measure(
                        Target(http: agent, lines: agent, control: control, agent: pid, kinesis: nil),
                        sync: nil
                    )
                } else {
                    try run.measure(stage.programs, stage.settings, try stage.scratch())
                }
            try printer.report(report, report.cells, LoadReport.columns)
        }
    }
}
