// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct IsolationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "isolation",
        abstract: "Measure what a healthy stream notices of many sick ones.",
        discussion: """
            The sick ones have events queued, and are: a hot key, a shard throttled for ever, a missing stream, \
            expired credentials, a denied one, one that meets only 5xx, one with an event that it refuses, and \
            endpoints that hang, more of them than the agent has workers.
            """
    )

    @Option(help: "Endpoints that never answer.")
    var hanging = 12

    @Option(help: "Events a second for the healthy stream.")
    var rate = 100_000.0

    @Option(help: "Seconds of load a run.")
    var seconds = 5.0

    @Option(help: "Pairs of runs, without and with sick streams; the middle ones count.")
    var pairs = 3

    @Option(help: "Events that each sick stream has queued.")
    var sickEvents = 2000

    @Option(help: "Seconds that the sick streams are sick before the load.")
    var settle = 30.0

    @OptionGroup var stage: StageOptions

    func validate() throws {
        guard (0...100).contains(hanging) else { throw ValidationError("--hanging is 0...100.") }
        guard rate > 0, seconds > 0, pairs > 0, sickEvents > 100, settle >= 0 else {
            throw ValidationError(
                "--rate, --seconds and --pairs are more than 0, --settle is not less, --sick-events is more than 100."
            )
        }
    }

    func run() throws {
        try IsolationBenchmark(
            hanging: hanging,
            rate: rate,
            seconds: seconds,
            pairs: pairs,
            sickEvents: sickEvents,
            settleSeconds: settle
        )
        .run(stage)
    }
}
