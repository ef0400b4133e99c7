// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct BacklogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backlog",
        abstract: "Measure how the backlog of an outage is worked off, against a short one."
    )

    @Option(help: "Events of the backlog.")
    var events = 10_000_000

    @Option(help: "Events of the short backlog that it is compared with.")
    var shallowEvents = 200_000

    @Option(help: "Bytes of an event, which is JSON.")
    var eventBytes = 300

    @Option(help: "How many partition keys there are; 0: events have none.")
    var keys = 10_000

    @OptionGroup var stage: StageOptions

    func validate() throws {
        guard events > 0, shallowEvents > 0 else {
            throw ValidationError("--events and --shallow-events are more than 0.")
        }
        guard (EventText.smallest...1 << 20).contains(eventBytes) else {
            throw ValidationError("--event-bytes is \(EventText.smallest)...1048576.")
        }
        guard (0...99_999_999).contains(keys) else { throw ValidationError("--keys is 0...99999999.") }
    }

    func run() throws {
        let shape = LoadShape(kind: .ndjson, connections: 4, batch: 500, eventBytes: eventBytes, keys: keys)
        try BacklogBenchmark(events: events, shallowEvents: shallowEvents, shape: shape).run(stage)
    }
}
