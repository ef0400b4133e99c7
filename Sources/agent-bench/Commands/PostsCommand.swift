// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct PostsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "posts",
        abstract: "Measure an event a POST, each connection with one request under way."
    )

    static let connections = 64

    @Option(help: "Connections.")
    var connections = Self.connections

    @OptionGroup var load: LoadOptions

    func validate() throws {
        guard (1...1000).contains(connections) else { throw ValidationError("--connections is 1...1000.") }
    }

    func run() throws { try load.run(.posts, connections: connections, batch: 1) }
}
