// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct StreamsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "Measure rate and CPU an event against the number of streams, active ones and listed ones.",
        discussion: """
            Load goes round 1, 10, 32, 33, 100 and 1000 streams, and to 1 of 5000 that are listed: with lines event \
            by event, so that each commit has events of all streams, with ndjson and posts request by request. Rates \
            are compared with that of 10 streams, CPU an event with that of 1. Fails where a stream has other events \
            than those that were acknowledged for it.
            """
    )

    @Option(help: ArgumentHelp("How events come: lines, ndjson, putrecords or posts.", valueName: "kind"))
    var load = RequestTemplate.Kind.lines

    @Option(help: "Events of an NDJSON request; lines of a connection that may be unacknowledged at once.")
    var batch = 1000

    @Option(help: "Seconds of load a run.")
    var seconds = 3.0

    @Option(help: "Runs of each number of streams; the middle one counts.")
    var repeats = 1

    @Option(help: "Bytes of an event, which is JSON.")
    var eventBytes = 300

    @Option(help: "Streams of the largest run in which all are active.")
    var most = 1000

    @Option(help: "Streams that are listed in the run in which one is active.")
    var listed = 5000

    @OptionGroup var stage: StageOptions

    func validate() throws {
        guard (1...100_000).contains(batch) else { throw ValidationError("--batch is 1...100000.") }
        guard seconds > 0, repeats > 0 else { throw ValidationError("--seconds and --repeats are more than 0.") }
        guard (EventText.smallest...1 << 20).contains(eventBytes) else {
            throw ValidationError("--event-bytes is \(EventText.smallest)...1048576.")
        }
        for (name, count) in [("most", most), ("listed", listed)] where !(1...NumberedStreams.most).contains(count) {
            throw ValidationError("--\(name) is 1...\(NumberedStreams.most).")
        }
    }

    func run() throws {
        let connections = load == .posts ? PostsCommand.connections : 4
        let shape = LoadShape(kind: load, connections: connections, batch: batch, eventBytes: eventBytes)
        try StreamsBenchmark(most: most, listed: listed, seconds: seconds, repeats: repeats, shape: shape).run(stage)
    }
}
