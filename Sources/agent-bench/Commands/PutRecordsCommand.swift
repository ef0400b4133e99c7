// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct PutRecordsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "putrecords",
        abstract: "Measure PutRecords of the Kinesis API, in JSON.",
        discussion: "Each record has a partition key; with --keys 0 nearly each has one of its own."
    )

    static let connections = 4
    /// As many as the service takes.
    static let batch = 500

    @Option(help: "Connections, each with one request under way.")
    var connections = Self.connections

    @Option(help: "Records of a request.")
    var batch = Self.batch

    @OptionGroup var load: LoadOptions

    func validate() throws {
        guard (1...1000).contains(connections) else { throw ValidationError("--connections is 1...1000.") }
        guard (1...500).contains(batch) else { throw ValidationError("--batch is 1...500.") }
    }

    func run() throws { try load.run(.putrecords, connections: connections, batch: batch) }
}
