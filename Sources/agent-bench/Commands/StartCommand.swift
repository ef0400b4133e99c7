// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Measure the time from start to READY with many events queued, also after kill -9.",
        discussion: "Fails where an acknowledged event is missing after a start."
    )

    @Option(help: "Events that are queued.")
    var events = 1_000_000

    @Option(help: "Bytes of an event, which is JSON.")
    var eventBytes = 300

    @Option(help: "Starts of each sort.")
    var repeats = 3

    @OptionGroup var stage: StageOptions

    func validate() throws {
        guard events > 0, repeats > 0 else { throw ValidationError("--events and --repeats are more than 0.") }
        guard (EventText.smallest...1 << 20).contains(eventBytes) else {
            throw ValidationError("--event-bytes is \(EventText.smallest)...1048576.")
        }
    }

    func run() throws { try StartBenchmark(events: events, eventBytes: eventBytes, repeats: repeats).run(stage) }
}
