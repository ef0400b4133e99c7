// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct AllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Measure posts, ndjson and lines, each with and without keys, and start."
    )

    @OptionGroup var load: LoadOptions

    @Option(help: "Events that are queued when the agent is started.")
    var startEvents = 1_000_000

    func validate() throws {
        guard startEvents > 0 else { throw ValidationError("--start-events is more than 0.") }
        guard load.agent == nil else { throw ValidationError("all starts its own agents; leave --agent out.") }
    }

    func run() throws {
        try load.run(.posts, connections: PostsCommand.connections, batch: 1)
        try load.run(.ndjson, connections: NDJSONCommand.connections, batch: NDJSONCommand.batch, continuing: true)
        try load.run(.lines, connections: LinesCommand.connections, batch: LinesCommand.batch, continuing: true)
        try StartBenchmark(events: startEvents, eventBytes: load.eventBytes, repeats: 3).run(load.stage)
    }
}
