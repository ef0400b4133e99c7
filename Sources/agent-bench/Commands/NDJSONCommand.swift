// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct NDJSONCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ndjson",
        abstract: "Measure POSTs of many events, one a line.",
        discussion: """
            Keys are in the events: the stream of an agent that is named with --agent has to have \
            partition_key = "\(EventText.userPointer)".
            """
    )

    static let connections = 4
    static let batch = 500

    @Option(help: "Connections, each with one request under way.")
    var connections = Self.connections

    @Option(help: "Events of a request.")
    var batch = Self.batch

    @OptionGroup var load: LoadOptions

    func validate() throws {
        guard (1...1000).contains(connections) else { throw ValidationError("--connections is 1...1000.") }
        guard (1...100_000).contains(batch) else { throw ValidationError("--batch is 1...100000.") }
    }

    func run() throws { try load.run(.ndjson, connections: connections, batch: batch) }
}
