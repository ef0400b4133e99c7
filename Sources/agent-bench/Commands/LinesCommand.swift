// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct LinesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lines",
        abstract: "Measure lines on the Unix socket."
    )

    static let connections = 4
    static let batch = 500

    @Option(help: "Connections.")
    var connections = Self.connections

    @Option(help: "Lines of a connection that may be unacknowledged at once.")
    var batch = Self.batch

    @OptionGroup var load: LoadOptions

    func validate() throws {
        guard (1...1000).contains(connections) else { throw ValidationError("--connections is 1...1000.") }
        guard (1...100_000).contains(batch) else { throw ValidationError("--batch is 1...100000.") }
    }

    func run() throws { try load.run(.lines, connections: connections, batch: batch) }
}
