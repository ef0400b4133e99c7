// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore

/// A status report as people read it.
struct StatusTable {
    let report: StatusReport
    let terminal: Terminal

    var lines: [Styled] {
        var lines = agent + queue + totals
        if report.streams.count > 1 { lines += summary }
        if !report.streams.isEmpty { lines += [Styled("")] + streams }
        return lines
    }

    private var agent: [Styled] {
        let agent = report.agent
        let colour: Terminal.Colour =
            switch agent.state {
            case .running: .green
            case .draining: .yellow
            case .degraded: .red
            }
        let line =
            Styled("agentd \(agent.version)  ") + Styled(agent.state.rawValue, colour, on: terminal)
            + Styled("  pid \(agent.pid)  up \(Readable.duration(agent.uptimeSeconds))")
        return [line] + agent.problems.flatMap { problem($0, indent: "  ") }
    }

    private var queue: [Styled] {
        let queue = report.queue
        let share = queue.maxBytes > 0 ? max(0, min(1, Double(queue.bytes) / Double(queue.maxBytes))) : 0
        let cells = 20
        // Something is never shown as nothing, nor almost full as full.
        let filled = queue.bytes == 0 ? 0 : share >= 1 ? cells : min(cells - 1, max(1, Int(share * Double(cells))))
        let colour: Terminal.Colour? = share >= 0.9 ? .red : share >= 0.7 ? .yellow : nil
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: cells - filled)
        var pieces = [
            Styled("[") + Styled(bar, colour, on: terminal)
                + Styled("] \(Readable.size(queue.bytes)) of \(Readable.size(queue.maxBytes))"),
            Styled(Readable.count(queue.events, "event")),
        ]
        if queue.events > 0 { pieces.append(Styled("oldest \(Readable.duration(queue.oldestAgeSeconds))")) }
        if queue.deadLetters > 0 {
            pieces.append(Styled(Readable.count(queue.deadLetters, "dead letter"), .red, on: terminal))
        }
        return flowing("queue   ", pieces)
    }

    private var totals: [Styled] {
        let totals = report.totals
        var pieces = ["accepted \(Readable.count(totals.accepted))", "delivered \(Readable.count(totals.delivered))"]
        let rare = [
            ("dead-lettered", totals.deadLettered), ("expired", totals.expired), ("evicted", totals.evicted),
            ("lost", totals.lost), ("refused", totals.refused),
        ]
        for (name, count) in rare where count > 0 { pieces.append("\(name) \(Readable.count(count))") }
        return flowing("totals  ", pieces.map { Styled($0) })
    }

    /// How many streams fare how.
    private var summary: [Styled] {
        let pieces = StatusReport.StreamState.byTrouble.compactMap { state -> Styled? in
            let count = report.streams.count { $0.state == state }
            return count == 0 ? nil : Styled("\(Readable.count(count)) \(state.rawValue)", state.colour, on: terminal)
        }
        return flowing("streams ", pieces)
    }

    private var streams: [Styled] {
        var table = Table([
            .init(heading: "STREAM", isName: true),
            .init(heading: "STATE"),
            .init(heading: "QUEUED", isNumber: true),
            .init(heading: "SIZE", isNumber: true, expendable: 6),
            .init(heading: "IN FLIGHT", isNumber: true, expendable: 8),
            .init(heading: "OLDEST", isNumber: true),
            .init(heading: "DELIVERED", isNumber: true, expendable: 2),
            .init(heading: "DEAD", isNumber: true, expendable: 3),
            .init(heading: "REFUSED", isNumber: true, expendable: 4),
            .init(heading: "RETRIES", isNumber: true, expendable: 5),
            .init(heading: "THROTTLED", isNumber: true, expendable: 7),
            .init(heading: "LIMITED BY", expendable: 1),
        ])
        // What needs somebody comes first; otherwise as agentd orders them.
        let streams = StatusReport.StreamState.byTrouble.flatMap { state in report.streams.filter { $0.state == state }
        }
        for stream in streams {
            table.rows.append([
                .init("\(stream.name)@\(stream.region)"),
                .init(stream.state.rawValue, stream.state.colour),
                .init(Readable.count(stream.queuedEvents)),
                .init(Readable.size(stream.queuedBytes)),
                .init(Readable.count(stream.inFlight)),
                .init(stream.queuedEvents > 0 ? Readable.duration(stream.oldestAgeSeconds) : "-"),
                .init(Readable.count(stream.delivered)),
                .init(Readable.count(stream.deadLetters), stream.deadLetters > 0 ? .red : nil),
                .init(Readable.count(stream.refused), stream.refused > 0 ? .yellow : nil),
                .init(Readable.count(stream.retries)),
                .init(Readable.count(stream.throttled)),
                .init(stream.limitedBy ?? "-"),
            ])
        }
        let rows = table.lines(terminal)
        var lines = [rows[0]]
        for (row, stream) in zip(rows.dropFirst(), streams) {
            lines.append(row)
            if stream.state != .ok, let error = stream.lastError { lines += problem(error, indent: "  ") }
        }
        return lines
    }

    private func problem(_ problem: StatusReport.Problem, indent: String) -> [Styled] {
        let width = terminal.width == .max ? Int.max : max(20, terminal.width - indent.count - 2)
        let said = wrapped(SafeText.line("\(problem.code): \(problem.message) (\(problem.at))"), width: width)
        let remedy = wrapped(SafeText.line(problem.remedy), width: width)
        return said.enumerated().map { Styled(indent + ($0 == 0 ? "! " : "  ")) + Styled($1, .red, on: terminal) }
            + remedy.enumerated().map { Styled(indent + ($0 == 0 ? "> " : "  ") + $1) }
    }

    /// The pieces after the label, on as many lines as they need.
    private func flowing(_ label: String, _ pieces: [Styled]) -> [Styled] {
        var lines: [Styled] = []
        var line = Styled(label)
        for piece in pieces {
            let isFirst = line.width == label.count
            if !isFirst, line.width + 2 + piece.width > terminal.width {
                lines.append(line)
                line = Styled(String(repeating: " ", count: label.count)) + piece
            } else {
                line += Styled(isFirst ? "" : "  ") + piece
            }
        }
        return lines + [line]
    }
}

extension StatusReport.StreamState {
    /// Those that need somebody first.
    fileprivate static let byTrouble: [Self] = [.parked, .backingOff, .paused, .ok]

    fileprivate var colour: Terminal.Colour {
        switch self {
        case .ok: .green
        case .backingOff: .yellow
        case .parked: .red
        case .paused: .cyan
        }
    }
}
