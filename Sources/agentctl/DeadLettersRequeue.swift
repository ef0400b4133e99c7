// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct DeadLettersRequeue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requeue",
        abstract: "Queue dead letters again, with new ids, behind all other events."
    )

    @Argument(help: "Their ids.")
    var ids: [Int64] = []

    @Option(name: .customLong("all"), help: ArgumentHelp("All dead letters of this stream.", valueName: "stream"))
    var stream: StreamReference?

    @Flag(help: "Do it: without this, all of a stream's are only counted.")
    var yes = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard ids.allSatisfy(ControlLimits.ids.contains) else { throw ValidationError("An id is a number from 1 on.") }
        guard ids.isEmpty != (stream == nil) else { throw ValidationError("Give either ids, or --all and a stream.") }
    }

    func run() throws {
        try control.withClient { client in
            let which = stream.map { RequeueRequest.Which.stream($0) } ?? .ids(ids)
            let dryRun = stream != nil && !yes
            let report = try client.requeue(which, dryRun: dryRun)
            if json { Console.print(try controlJSON(report, pretty: true)) }
            let letters = Readable.count(report.events, "dead letter")
            if dryRun {
                Console.say("would requeue \(letters) (\(Readable.size(report.bytes))). Say --yes to do it.")
                throw ExitCode.failure
            }
            Console.say("requeued \(letters)")
            if let reason = report.stoppedBecause {
                Console.say("agentctl: the others are still dead letters. \(reason)")
            }
            if report.missing > 0 {
                Console.say(
                    "agentctl: \(Readable.count(report.missing)) of these ids are not, or no longer, dead letters."
                )
            }
            if report.stoppedBecause != nil || report.missing > 0 { throw ExitCode.failure }
        }
    }
}
