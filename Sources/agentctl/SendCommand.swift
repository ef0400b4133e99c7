// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser

struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Queue events, each from an argument, or from stdin.",
        discussion: "Ends with 0 once the events are durable in the queue; Kinesis gets them later."
    )

    @Argument(help: "The stream: name or name@region.")
    var stream: StreamReference

    @Argument(help: "An event each. Without any, all of stdin is one event.")
    var data: [String] = []

    @Flag(help: "Take each line as an event of its own, which must be JSON.")
    var ndjson = false

    @Option(help: ArgumentHelp("The partition key of all these events.", valueName: "key"))
    var partitionKey = ""

    @Flag(help: "Print JSON: one line for each group of events that was committed together.")
    var json = false

    @OptionGroup var control: ControlOption

    func validate() throws {
        guard partitionKey.unicodeScalars.count <= KinesisLimits.partitionKeyCharacters else {
            throw ValidationError("--partition-key has at most \(KinesisLimits.partitionKeyCharacters) characters.")
        }
    }

    func run() throws {
        let events = try events()
        guard !events.isEmpty else {
            Console.say("agentctl: there is nothing to send.")
            throw ExitCode.failure
        }
        var accepted = 0
        try control.withClient { client in
            do {
                for group in groups(events) {
                    let request = SendRequest(
                        stream: stream,
                        keys: [EventKey(partitionKey: partitionKey)],
                        events: group,
                        isJSON: ndjson
                    )
                    let report = try client.ask(request)
                    accepted += report.accepted
                    if json { Console.print(try controlJSON(report, pretty: false)) }
                }
            } catch {
                if accepted > 0 { Console.say("agentctl: the first \(Readable.count(accepted, "event")) are queued.") }
                throw error
            }
        }
        if !json { Console.say("queued \(Readable.count(accepted, "event"))") }
    }

    private func events() throws -> [Payload] {
        let inputs = data.isEmpty ? [Console.readAll()] : data.map { Array($0.utf8) }
        guard ndjson else { return inputs.filter { !$0.isEmpty }.map { Payload($0) } }
        var events: [Payload] = []
        var number = 0
        for input in inputs {
            for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
                number += 1
                let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
                if text.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) { continue }
                let event = Payload(Array(text))
                try event.withUnsafeBytes { try validate($0, line: number) }
                events.append(event)
            }
        }
        return events
    }

    private func validate(_ text: UnsafeRawBufferPointer, line: Int) throws {
        do throws(JSONFault) {
            try JSON.validate(text)
        } catch {
            let column = JSONFault.place(of: error.offset, in: text).column
            Console.say("agentctl: line \(line), column \(column): \(error). Nothing was sent.")
            throw ExitCode.failure
        }
    }

    /// Few enough events to fit a request; a large event goes alone.
    private func groups(_ events: [Payload]) -> [[Payload]] {
        var groups: [[Payload]] = []
        var bytes = 0
        for event in events {
            if let group = groups.last, group.count < 500, bytes + event.count <= 1 << 20 {
                groups[groups.count - 1].append(event)
                bytes += event.count
            } else {
                groups.append([event])
                bytes = event.count
            }
        }
        return groups
    }
}
