// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write queued events to stdout, a line of JSON each, and leave them in the queue.",
        discussion: """
            Each line has stream, region, id, partition_key, explicit_hash_key, age_seconds, bytes, and the event in data, \
            or in data_base64 where it is not UTF-8. 'agentctl import' takes such lines. A running agentd goes on \
            delivering meanwhile: pause the stream where that matters.
            """
    )

    @Argument(help: "The stream, name or name@region, or 'all'.")
    var stream: String

    @OptionGroup var database: DatabaseOption
    @OptionGroup var control: ControlOption

    func validate() throws {
        guard stream == "all" || StreamReference(stream) != nil else {
            throw ValidationError(
                "'\(SafeText.line(stream, limit: 140))' is neither a stream's name, name@region, nor all."
            )
        }
    }

    func run() throws {
        let wanted = stream == "all" ? nil : StreamReference(stream)
        var count = 0
        func write(_ event: EventReport, _ destination: Destination) throws {
            let line = ExportedEvent(stream: destination.stream, region: destination.region, event: event)
            Console.write(try controlJSON(line, pretty: false) + "\n", to: 1)
            count += 1
        }
        if let file = database.file {
            try QueueFile.open(file) { queue in try export(wanted, of: queue, write) }
        } else {
            try control.withClient { client in try export(wanted, of: client, write) }
        }
        Console.say("exported \(Readable.count(count, "event"))")
    }

    private func export(
        _ wanted: StreamReference?,
        of client: ControlClient,
        _ write: (EventReport, Destination) throws -> Void
    ) throws {
        let streams = try client.status().streams.map { Destination(region: $0.region, stream: $0.name) }
        for destination in try chosen(wanted, among: streams) {
            let stream = StreamReference(name: destination.stream, region: destination.region)
            var after = Int64(0)
            while true {
                let request = PeekRequest(stream: stream, after: after, limit: ControlLimits.pageEvents.upperBound)
                let events = try client.ask(request)
                for event in events { try write(event, destination) }
                guard let last = events.last, last.id < ControlLimits.ids.upperBound else { break }
                after = last.id
            }
        }
    }

    private func export(
        _ wanted: StreamReference?,
        of queue: QueueFile,
        _ write: (EventReport, Destination) throws -> Void
    ) throws {
        var damaged = 0
        let streams = try queue.streams()
        for destination in try chosen(wanted, among: streams) {
            damaged += try queue.events(of: destination) { try write($0, destination) }
        }
        guard damaged == 0 else {
            Console.say("agentctl: left out as damaged: \(Readable.count(damaged, "event")). See 'agentctl verify'.")
            throw ExitCode.failure
        }
    }

    private func chosen(_ wanted: StreamReference?, among streams: [Destination]) throws -> [Destination] {
        guard let wanted else { return streams }
        let chosen = streams.filter { wanted.matches($0) }
        guard !chosen.isEmpty else {
            Console.say("agentctl: there is no stream \(wanted). 'agentctl streams' lists them.")
            throw ExitCode.failure
        }
        guard chosen.count == 1 else {
            let names = chosen.map { "\($0.stream)@\($0.region)" }.joined(separator: ", ")
            Console.say("agentctl: \(wanted) may be any of \(names). Name one of them.")
            throw ExitCode.failure
        }
        return chosen
    }
}
