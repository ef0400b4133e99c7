// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct DeadLettersList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List dead letters, oldest first, with the reason of each."
    )

    @Argument(help: "Only those of this stream: name or name@region.")
    var stream: StreamReference?

    @Option(help: "How many to list at most.")
    var limit = 100

    @Option(help: ArgumentHelp("Only those with larger ids.", valueName: "id"))
    var after: Int64 = 0

    @Flag(help: "Print JSON, with the payloads.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
        guard ControlLimits.after.contains(after) else { throw ValidationError("--after must be an id, or 0.") }
    }

    func run() throws {
        try control.withClient { client in
            var list = JSONList()
            var (after, left) = (after, limit)
            while left > 0 {
                let page = min(left, ControlLimits.pageEvents.upperBound)
                let letters = try client.ask(DeadLetterQuery(stream: stream, after: after, limit: page))
                guard let last = letters.last else { break }
                for letter in letters {
                    if json { list.add(try controlJSON(letter, pretty: false)) } else { Console.print(line(letter)) }
                }
                after = last.event.id
                left -= letters.count
            }
            if json { list.end() }
        }
    }

    private func line(_ letter: DeadLetterReport) -> String {
        let dead = Readable.duration(letter.deadSeconds)
        let size = Readable.size(letter.event.data.count)
        let reason = SafeText.line("\(letter.code): \(letter.reason)")
        return "\(letter.event.id)  \(letter.stream)@\(letter.region)  \(dead)  \(size)  \(reason)"
    }
}
