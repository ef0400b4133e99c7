// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Deliver a paused stream's events again."
    )

    @Argument(help: "The stream: name or name@region.")
    var stream: StreamReference

    @OptionGroup var control: ControlOption

    func run() throws {
        try control.withClient { client in
            let report = try client.ask(ResumeRequest(stream))
            let queued = Readable.count(report.queuedEvents, "event")
            Console.say("resumed \(report.name)@\(report.region), with \(queued) queued")
        }
    }
}
