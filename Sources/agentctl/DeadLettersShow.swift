// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct DeadLettersShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a dead letter whole."
    )

    @Argument(help: "Its id.")
    var id: Int64

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard ControlLimits.ids.contains(id) else { throw ValidationError("An id is a number from 1 on.") }
    }

    func run() throws {
        try control.withClient { client in
            let letter = try client.ask(DeadLetterRequest(id: id))
            if json { return Console.print(try controlJSON(letter, pretty: true)) }
            let event = letter.event
            var lines = [
                "id             \(event.id)",
                "stream         \(letter.stream)@\(letter.region)",
                "partition key  \(event.key.isNone ? "-" : SafeText.line(event.key.partitionKey))",
            ]
            if !event.key.explicitHashKey.isEmpty { lines.append("hash key       \(event.key.explicitHashKey)") }
            lines += [
                "accepted       \(Readable.duration(event.ageSeconds)) ago",
                "given up       \(Readable.duration(letter.deadSeconds)) ago",
                "reason         \(SafeText.line("\(letter.code): \(letter.reason)"))",
                "size           \(Readable.count(event.data.count, "byte"))",
                "data           \(Readable.line(event.data))",
            ]
            Console.print(lines.joined(separator: "\n"))
        }
    }
}
