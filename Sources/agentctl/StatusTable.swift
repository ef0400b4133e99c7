// SPDX-License-Identifier: Apache-2.0

internal import AgentControl

/// A status report as people read it.
struct StatusTable {
    let report: StatusReport
    let terminal: Terminal

    var lines: [String] {
        var lines = agent + queue + totals
        if !report.streams.isEmpty { lines += [""] + streams }
        return lines
    }

    private var agent: [String] {
        let agent = report.agent
        let colour: Terminal.Colour =
            switch agent.state {
            case .running: .green
            case .draining: .yellow
            case .degraded: .red
            }
        let state = terminal.coloured(agent.state.rawValue, colour)
        let line = "agentd \(agent.version)  \(state)  pid \(agent.pid)  up \(Readable.duration(agent.uptimeSeconds))"
        return [line] + agent.problems.flatMap { problem($0, indent: "  ") }
    }

    private var queue: [String] {
        let queue = report.queue
        let share = queue.maxBytes > 0 ? min(1, Double(queue.bytes) / Double(queue.maxBytes)) : 0
        let cells = 20
        // Something is never shown as nothing, nor almost full as full.
        let filled = queue.bytes == 0 ? 0 : share >= 1 ? cells : min(cells - 1, max(1, Int(share * Double(cells))))
        let colour: Terminal.Colour? = share >= 0.9 ? .red : share >= 0.7 ? .yellow : nil
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: cells - filled)
        var pieces = [
            "[\(terminal.coloured(bar, colour))] \(Readable.size(queue.bytes)) of \(Readable.size(queue.maxBytes))",
            Readable.count(queue.events, "event"),
        ]
        if queue.events > 0 { pieces.append("oldest \(Readable.duration(queue.oldestAgeSeconds))") }
        if queue.deadLetters > 0 {
            pieces.append(terminal.coloured(Readable.count(queue.deadLetters, "dead letter"), .red))
        }
        return flowing("queue   ", pieces)
    }

    private var totals: [String] {
        let totals = report.totals
        var pieces = ["accepted \(Readable.count(totals.accepted))", "delivered \(Readable.count(totals.delivered))"]
        let rare = [
            ("dead-lettered", totals.deadLettered), ("expired", totals.expired), ("evicted", totals.evicted),
            ("lost", totals.lost), ("refused", totals.refused),
        ]
        for (name, count) in rare where count > 0 { pieces.append("\(name) \(Readable.count(count))") }
        return flowing("totals  ", pieces)
    }

    private var streams: [String] {
        var table = Table([
            .init(heading: "STREAM"),
            .init(heading: "STATE"),
            .init(heading: "QUEUED", isNumber: true),
            .init(heading: "SIZE", isNumber: true, expendable: 4),
            .init(heading: "IN FLIGHT", isNumber: true, expendable: 6),
            .init(heading: "OLDEST", isNumber: true),
            .init(heading: "DELIVERED", isNumber: true, expendable: 2),
            .init(heading: "RETRIES", isNumber: true, expendable: 3),
            .init(heading: "THROTTLED", isNumber: true, expendable: 5),
            .init(heading: "LIMITED BY", expendable: 1),
        ])
        for stream in report.streams {
            table.rows.append([
                .init("\(stream.name)@\(stream.region)"),
                .init(stream.state.rawValue, stream.state.colour),
                .init(Readable.count(stream.queuedEvents)),
                .init(Readable.size(stream.queuedBytes)),
                .init(Readable.count(stream.inFlight)),
                .init(stream.queuedEvents > 0 ? Readable.duration(stream.oldestAgeSeconds) : "-"),
                .init(Readable.count(stream.delivered)),
                .init(Readable.count(stream.retries)),
                .init(Readable.count(stream.throttled)),
                .init(stream.limitedBy ?? "-"),
            ])
        }
        let rows = table.lines(terminal)
        var lines = [rows[0]]
        for (row, stream) in zip(rows.dropFirst(), report.streams) {
            lines.append(row)
            if stream.state != .ok, let error = stream.lastError { lines += problem(error, indent: "  ") }
        }
        return lines
    }

    private func problem(_ problem: StatusReport.Problem, indent: String) -> [String] {
        let width = terminal.width == .max ? Int.max : max(20, terminal.width - indent.count - 2)
        let said = wrapped(Readable.line("\(problem.code): \(problem.message) (\(problem.at))"), width: width)
        let remedy = wrapped(Readable.line(problem.remedy), width: width)
        return said.enumerated().map { indent + ($0 == 0 ? "! " : "  ") + terminal.coloured($1, .red) }
            + remedy.enumerated().map { indent + ($0 == 0 ? "> " : "  ") + $1 }
    }

    /// The pieces after the label, on as many lines as they need.
    private func flowing(_ label: String, _ pieces: [String]) -> [String] {
        var lines: [String] = []
        var line = label
        var width = label.count
        for piece in pieces {
            let isFirst = width == label.count
            let length = visibleCount(piece)
            if !isFirst, width + 2 + length > terminal.width {
                lines.append(line)
                line = String(repeating: " ", count: label.count) + piece
                width = label.count + length
            } else {
                line += (isFirst ? "" : "  ") + piece
                width += (isFirst ? 0 : 2) + length
            }
        }
        return lines + [line]
    }

    /// Characters that take room: all but colour sequences.
    private func visibleCount(_ text: String) -> Int {
        var count = 0
        var inSequence = false
        for character in text {
            if character == "\u{1b}" { inSequence = true }
            if !inSequence { count += 1 }
            if inSequence, character == "m" { inSequence = false }
        }
        return count
    }
}

extension StatusReport.StreamState {
    fileprivate var colour: Terminal.Colour {
        switch self {
        case .ok: .green
        case .backingOff: .yellow
        case .parked: .red
        case .paused: .cyan
        }
    }
}
