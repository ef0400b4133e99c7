// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct PeekCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peek",
        abstract: "Show the oldest queued events of a stream, and leave them there."
    )

    @Argument(help: "The stream: name or name@region.")
    var stream: StreamReference

    @Option(help: "How many events to show at most.")
    var limit = 10

    @Flag(help: "Print JSON; payloads that are not UTF-8 are in data_base64.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
    }

    func run() throws {
        try control.withClient { client in
            var list = JSONList()
            var (after, left) = (Int64(0), limit)
            while left > 0 {
                let page = min(left, ControlLimits.pageEvents.upperBound)
                let events = try client.ask(PeekRequest(stream: stream, after: after, limit: page))
                guard let last = events.last else { break }
                for event in events {
                    if json {
                        list.add(try controlJSON(event, pretty: false))
                    } else {
                        let key = event.key.isNone ? "-" : SafeText.line(event.key.partitionKey)
                        let age = Readable.duration(event.ageSeconds)
                        Console.print("\(event.id)  \(age)  \(key)  \(Readable.line(event.data))")
                    }
                }
                after = last.id
                left -= events.count
                if after == ControlLimits.ids.upperBound { break }
            }
            if json { list.end() }
        }
    }
}

/// A JSON array that is printed as it grows, an element a line.
struct JSONList {
    private var isEmpty = true

    mutating func add(_ element: String) {
        Console.write((isEmpty ? "[\n" : ",\n") + element, to: 1)
        isEmpty = false
    }

    func end() { Console.print(isEmpty ? "[]" : "\n]") }
}
