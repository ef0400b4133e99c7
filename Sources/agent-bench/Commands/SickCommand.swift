// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct SickCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sick",
        abstract: "Measure what sick streams of great size cost a healthy one and the agent, kind by kind.",
        discussion: """
            keys      100 000 keys on a stream whose shards take nothing
            shard     as many on a stream of which one shard of two takes
                      nothing, and the other 1000 records a second
            outage    1000 streams and an endpoint that answers 503; one stream
                      makes about 6 requests in two seconds
            refused   300 streams with an event of 1 MB each, and an endpoint
                      where nobody listens
            poisoned  an event among 10 000 that Kinesis does not take

            The healthy stream is measured alone, then beside them; CPU and reading in between, while it has nothing \
            to do. Then the trouble ends. Fails where an acknowledged event is neither delivered nor still queued, or \
            is delivered twice.
            """
    )

    @Option(help: ArgumentHelp("A kind to measure; may be repeated (default: all).", valueName: "kind"))
    var kind: [Sickness] = []

    @Option(help: "Events a second for the healthy stream; 0: as many as it can.")
    var rate = 50_000.0

    @Option(help: "Seconds of load on the healthy stream, alone and beside.")
    var seconds = 3.0

    @Option(help: "Seconds that streams are sick before anything is measured.")
    var settle = 3.0

    @Option(help: "Seconds in which the agent's CPU and reading are measured.")
    var idle = 3.0

    @Option(help: "Seconds for all to be delivered after the trouble.")
    var recovery = 15.0

    @Option(help: "Keys, and events, of keys and shard.")
    var keys = 100_000

    @Option(help: "Streams of outage.")
    var outageStreams = 1000

    @Option(help: "Streams of refused.")
    var refusedStreams = 300

    @OptionGroup var stage: StageOptions

    func validate() throws {
        guard seconds > 0, idle > 0, settle >= 0, recovery >= 0, rate >= 0 else {
            throw ValidationError("--seconds and --idle are more than 0; --settle, --recovery and --rate are not less.")
        }
        guard (1...10_000_000).contains(keys) else { throw ValidationError("--keys is 1...10000000.") }
        for (name, count) in [("outage", outageStreams), ("refused", refusedStreams)]
        where !(1...NumberedStreams.most).contains(count) {
            throw ValidationError("--\(name)-streams is 1...\(NumberedStreams.most).")
        }
    }

    func run() throws {
        try SickBenchmark(
            kinds: kind.isEmpty ? Sickness.allCases : kind,
            sizes: .init(keys: keys, outageStreams: outageStreams, refusedStreams: refusedStreams),
            rate: rate > 0 ? rate : nil,
            seconds: seconds,
            settleSeconds: settle,
            idleSeconds: idle,
            recoverySeconds: recovery
        )
        .run(stage)
    }
}
