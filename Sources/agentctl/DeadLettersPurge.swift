// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct DeadLettersPurge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete dead letters for good.",
        discussion: "They stay counted as dead-lettered."
    )

    @Argument(help: "Their ids.")
    var ids: [Int64] = []

    @Option(help: "All dead letters of this stream: name or name@region.")
    var stream: StreamReference?

    @Flag(help: "All dead letters of all streams.")
    var all = false

    @Option(help: ArgumentHelp("Only those given up so long ago: seconds, or 30s, 5m, 1h, 7d.", valueName: "time"))
    var olderThan = Age(seconds: 0)

    @Flag(help: "Do it: without this, they are only counted.")
    var yes = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard ids.allSatisfy(ControlLimits.ids.contains) else { throw ValidationError("An id is a number from 1 on.") }
        let kinds = [!ids.isEmpty, stream != nil, all].filter { $0 }
        guard kinds.count == 1 else { throw ValidationError("Give either ids, or --stream and a stream, or --all.") }
    }

    func run() throws {
        try control.withClient { client in
            let report = try client.purgeDeadLetters(
                stream.map { .stream($0) } ?? (all ? .all : .ids(ids)),
                olderThanSeconds: olderThan.seconds,
                dryRun: !yes
            )
            if json { Console.print(try controlJSON(report, pretty: true)) }
            let letters = Readable.count(report.events, "dead letter")
            let size = Readable.size(report.bytes)
            Console.say(yes ? "purged \(letters) (\(size))" : "would purge \(letters) (\(size)). Say --yes to do it.")
            if let reason = report.stoppedBecause { Console.say("agentctl: the others were not come to. \(reason)") }
            if report.missing > 0 {
                Console.say(
                    "agentctl: \(Readable.count(report.missing)) of these ids are not, or no longer, dead letters."
                )
            }
            if !yes || report.stoppedBecause != nil || report.missing > 0 { throw ExitCode.failure }
        }
    }
}

/// How old something is, on the command line; in seconds where it has no unit.
struct Age: ExpressibleByArgument, CustomStringConvertible {
    let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)]
        let unit = units.first { argument.hasSuffix($0.0) }
        guard let number = Double(argument.dropLast(unit?.0.count ?? 0)) else { return nil }
        seconds = number * (unit?.1 ?? 1)
        guard ControlLimits.ageSeconds.contains(seconds) else { return nil }
    }

    var description: String { Readable.duration(seconds) }
    var defaultValueDescription: String { description }
}
