// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import ArgumentParser
internal import Glibc

/// `--database`, which verbs take that can read the file of an agentd that does not run.
struct DatabaseOption: ParsableArguments {
    @Option(
        name: .customLong("database"),
        help: ArgumentHelp(
            "Read this queue file instead of asking agentd, which must not run on it. A copy of it is made and removed, in "
                + "$TMPDIR or /var/tmp.",
            valueName: "file"
        )
    )
    var file: String?
}

/// The queue file of an agentd that does not run, by way of a copy.
struct QueueFile {
    let queue: OfflineQueue

    /// Opens a copy, and removes it afterwards, also where this is interrupted.
    static func open<R>(_ path: String, _ body: (QueueFile) throws -> R) throws -> R {
        let folder = try TemporaryCopy()
        defer { withExtendedLifetime(folder) { folder.remove() } }
        do {
            return try body(QueueFile(queue: try OfflineQueue(copying: path, in: folder.path)))
        } catch let error as QueueError {
            Console.say("agentctl: \(error)")
            if case .damaged = error {
                Console.say("An agentd that is started on it, or on a copy, carries over what can be read.")
            }
            throw ExitCode.failure
        }
    }

    func streams() throws -> [Destination] { try queue.streams().map(\.destination) }

    /// Calls `body` with each of its events, in their order.
    ///
    /// - Returns: how many were left out because they are damaged.
    func events(of destination: Destination, _ body: (EventReport) throws -> Void) throws -> Int {
        var damaged = 0
        for stream in try queue.streams() where stream.destination == destination {
            var after = EventID.zero
            while true {
                let page = try queue.events(of: stream.id, after: after)
                for event in page.events { try body(report(event)) }
                damaged += page.damaged.count
                guard let last = page.last else { break }
                after = last
            }
        }
        return damaged
    }

    private func report(_ event: StoredEvent) -> EventReport {
        EventReport(
            id: event.id.rawValue,
            key: event.key,
            ageSeconds: Double(max(0, queue.agentNowMS - event.acceptedMS)) / 1000,
            data: event.data
        )
    }
}
