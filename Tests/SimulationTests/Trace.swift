// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What the lines of a trace say.
enum Trace {
    static func text(_ request: LoadRequest) -> String {
        let most = "at most \(request.maxEvents) and \(request.maxBytes) bytes"
        return switch request.what {
        case .events(let ids): "\(request.destination) \(ids)"
        case .scan(let after, let skipping, nil):
            "\(request.destination) after \(after)\(skipping.isEmpty ? "" : " but \(text(skipping))"), \(most)"
        case .scan(let after, _, let only?): "\(request.destination) after \(after) of \(text(only)), \(most)"
        }
    }

    private static func text(_ lanes: LaneSet) -> String {
        "lanes \((0...255).filter { lanes.contains($0) })"
    }

    static func text(_ outcome: SendOutcome) -> String {
        switch outcome {
        case .failed(let failure): return "\(failure.kind) \(failure.status) \(failure.code) \(failure.message)"
        case .answered(let records):
            let refused = records.compactMap { if case .refused(let code, _) = $0 { code } else { nil } }
            return "\(records.count - refused.count) accepted, refused \(refused)"
        }
    }

    static func text(_ commit: Commit) -> String {
        let appended = commit.appended.map { "\($0.events.map(\.id)) to \($0.destination)" }
        let settled = commit.settled.map { "settled \($0.ids)" }
        let dead = commit.deadLettered.map { "dead \($0.id)" }
        let removed = commit.removed.map { "\($0.cause) of \($0.destination) through \($0.through)" }
        return (appended + settled + dead + removed).joined(separator: ", ")
    }

    static func text(_ scenario: Scenario) -> String {
        var lines = [
            "\(scenario.settings)", "calm at \(scenario.calm.nanoseconds / 1000) µs, shards take \(scenario.limits)",
        ]
        for (stream, backlog) in zip(scenario.streams, scenario.backlog) {
            lines.append(
                """
                \(stream.id): \(stream.settings), \(stream.shards) shards, \(stream.keys.count) keys, \(stream.hot) hot, \
                \(stream.keyless) keyless, sizes \(stream.sizes), \(stream.large) large, \(stream.poison) poison, \
                \(stream.damaged) damaged, backlog \(backlog)
                """
            )
        }
        for weather in scenario.weather {
            lines.append(
                """
                \(weather.kind) \(weather.probability) for \(weather.scope) from \(weather.from.nanoseconds / 1000) \
                until \(weather.until.nanoseconds / 1000)
                """
            )
        }
        return lines.joined(separator: "\n")
    }
}
