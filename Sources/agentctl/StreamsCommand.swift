// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import ArgumentParser

struct StreamsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "List the streams that take events or still have some."
    )

    @Flag(help: "Print JSON: what 'status --json' has under streams.")
    var json = false

    @OptionGroup var control: ControlOption

    func run() throws {
        try control.withClient { client in
            let streams = try client.status().streams
            if json { return Console.print(try controlJSON(streams, pretty: true)) }
            for stream in streams { Console.print("\(stream.name)@\(stream.region)") }
        }
    }
}
