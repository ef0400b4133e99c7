// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import ArgumentParser

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the queue file of an agentd that does not run: every page, every event, and the totals.",
        discussion: "Ends with 0 if all is sound, and with 1 if not, and says what is wrong. The file is not changed."
    )

    @Option(
        name: .customLong("database"),
        help: ArgumentHelp("The queue file. A copy is made and removed, in $TMPDIR or /var/tmp.", valueName: "file")
    )
    var file = "/var/lib/agentd/queue.db"

    @Flag(help: "Print JSON.")
    var json = false

    private struct Report: Encodable {
        struct Stream: Encodable {
            let name: String
            let region: String
            let queuedEvents: Int
            let deadLetters: Int
            let faults: [String]
        }

        let sound: Bool
        let faults: [String]
        let streams: [Stream]
    }

    func run() throws {
        let check = try QueueFile.open(file) { try $0.queue.check() }
        if json {
            let streams = check.streams.map {
                Report.Stream(
                    name: $0.destination.stream,
                    region: $0.destination.region,
                    queuedEvents: $0.events,
                    deadLetters: $0.deadLetters,
                    faults: $0.faults
                )
            }
            Console.print(
                try controlJSON(Report(sound: check.isSound, faults: check.faults, streams: streams), pretty: true)
            )
        } else {
            for fault in check.faults { Console.print(fault) }
            for stream in check.streams {
                let name = "\(stream.destination.stream)@\(stream.destination.region)"
                for fault in stream.faults { Console.print("\(name): \(fault)") }
            }
            let events = Readable.count(check.streams.reduce(0) { $0 + $1.events }, "queued event")
            let dead = Readable.count(check.streams.reduce(0) { $0 + $1.deadLetters }, "dead letter")
            let verdict = check.isSound ? "sound" : "not sound"
            Console.print("\(SafeText.line(file, limit: 400)) is \(verdict): \(events), \(dead)")
        }
        if !check.isSound { throw ExitCode.failure }
    }
}
