// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser
internal import Glibc

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Queue the events of an export, which stdin has, again, in its order.",
        discussion: """
            Ends with 0 once all of them are durable in the queue. They get new ids and ages. Where it ends before, it says \
            after which line, and the rest can be imported.
            """
    )

    @Option(help: ArgumentHelp("Queue all of them for this stream, name or name@region, whatever the lines say."))
    var stream: StreamReference?

    @OptionGroup var control: ControlOption

    private struct Group {
        let stream: StreamReference
        var keys: [EventKey] = []
        var events: [Payload] = []
        var bytes = 0
    }

    func run() throws {
        var (accepted, number, done) = (0, 0, 0)
        try control.withClient { client in
            var group: Group?
            func send() throws {
                guard let full = group else { return }
                group = nil
                accepted += try client.ask(
                    SendRequest(stream: full.stream, keys: full.keys, events: full.events, isJSON: false)
                ).accepted
                done = number
            }
            do {
                while let line = readLine(strippingNewline: true) {
                    if line.allSatisfy(\.isWhitespace) {
                        number += 1
                        continue
                    }
                    let found = try exported(line, number + 1)
                    let target = stream ?? StreamReference(name: found.stream, region: found.region)
                    if let current = group,
                        current.stream != target || current.events.count == 500 || current.bytes > 1 << 20
                    {
                        try send()
                    }
                    number += 1
                    var next = group ?? Group(stream: target)
                    group = nil
                    next.keys.append(found.event.key)
                    next.events.append(found.event.data)
                    next.bytes += found.event.data.count
                    group = next
                }
                try send()
            } catch {
                Console.say(
                    "agentctl: lines 1 to \(done) are queued (\(Readable.count(accepted, "event"))), and no more."
                )
                throw error
            }
        }
        Console.say("imported \(Readable.count(accepted, "event"))")
    }

    private func exported(_ line: String, _ number: Int) throws -> ExportedEvent {
        do {
            let found = try controlValue(ExportedEvent.self, of: line)
            guard StreamReference("\(found.stream)@\(found.region)") != nil || stream != nil else {
                throw ExitCode.failure
            }
            return found
        } catch {
            Console.say("agentctl: line \(number) is not one of an export: it has no stream, region, id, and data.")
            throw ExitCode.failure
        }
    }
}
