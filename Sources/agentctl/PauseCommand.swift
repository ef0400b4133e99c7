// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Stop delivering a stream's events; new ones are still queued."
    )

    @Argument(help: "The stream: name or name@region.")
    var stream: StreamReference

    @OptionGroup var control: ControlOption

    func run() throws {
        try control.withClient { client in
            let report = try client.ask(PauseRequest(stream))
            let queued = Readable.count(report.queuedEvents, "event")
            Console.say("paused \(report.name)@\(report.region), with \(queued) queued")
        }
    }
}
