// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import ArgumentParser

struct FlushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Send what is queued now, and wait until the queue is empty.",
        discussion: "Deletes nothing. Ends with 1 if the queue is not empty in time."
    )

    @Option(help: ArgumentHelp("How long to wait: seconds, or 500ms, 30s, 5m, 1h; up to a week.", valueName: "time"))
    var timeout = WaitTime(seconds: 60)

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var control: ControlOption

    func run() throws {
        try control.withClient { client in
            let report = try client.ask(FlushRequest(timeoutSeconds: timeout.seconds))
            if json { Console.print(try controlJSON(report, pretty: true)) }
            if report.empty { return Console.say("the queue is empty") }
            let queued = Readable.count(report.queuedEvents, "event")
            Console.say(
                "agentctl: still \(queued) queued after \(timeout). 'agentctl status' says what holds them back."
            )
            throw ExitCode.failure
        }
    }
}

/// A time on the command line, in seconds where it has no unit.
struct WaitTime: ExpressibleByArgument, CustomStringConvertible {
    let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]
        let unit = units.first { argument.hasSuffix($0.0) }
        guard let number = Double(argument.dropLast(unit?.0.count ?? 0)) else { return nil }
        seconds = number * (unit?.1 ?? 1)
        guard ControlLimits.timeoutSeconds.contains(seconds) else { return nil }
    }

    var description: String { Readable.duration(seconds) }
    var defaultValueDescription: String { description }
}
