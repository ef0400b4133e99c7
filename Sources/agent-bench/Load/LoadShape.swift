// SPDX-License-Identifier: Apache-2.0

/// How events are brought to the agent.
struct LoadShape {
    var kind: RequestTemplate.Kind
    var connections: Int
    /// Events of an NDJSON request; lines of a connection that may be unacknowledged at once.
    var batch: Int
    var eventBytes = 300
    /// 0: events have no key.
    var keys = 10_000
    var stream = "bench"
    /// Where more than 0, `stream` is but the begin of their names, and events go round them.
    var streams = 0

    /// Where the agent has to look for keys itself.
    var keyPointer: String { kind == .ndjson && keys > 0 ? EventText.userPointer : "" }

    var title: String { "\(kind.rawValue), \(keys == 0 ? "no keys" : "\(Text.grouped(keys)) keys")" }

    func loop(to address: Address) throws(BenchError) -> LoadLoop {
        // A tenth of a window is written at once, so that lines flow while earlier ones are being committed.
        let parts = kind == .lines ? min(10, batch) : 1
        let events = kind == .posts ? 1 : batch / parts
        let host = if case .tcp = address { address.description } else { "localhost" }
        let request = RequestTemplate(
            kind,
            stream: stream,
            streams: streams,
            host: host,
            event: EventText(size: eventBytes),
            events: events,
            keys: keys
        )
        let answers: AnswerReader.Format =
            switch kind {
            case .posts, .ndjson: .http
            case .putrecords: .putRecords(events)
            case .lines: .lines
            }
        var made: [LoadConnection] = []
        for _ in 0..<connections {
            made.append(
                try LoadConnection(to: address, request, answers: answers, depth: parts)
            )
        }
        return LoadLoop(made)
    }
}
