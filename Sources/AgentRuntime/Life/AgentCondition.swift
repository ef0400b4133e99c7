// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentIngest
internal import AgentQueue
internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// How the agent itself is, apart from its streams. Any thread.
final class AgentCondition: Sendable {
    private struct State {
        var isDraining = false
        var problems: [String: StatusReport.Problem] = [:]
    }

    private let state = Mutex(State())
    private let started = ContinuousClock.now

    func beginDraining() { state.withLock { $0.isDraining = true } }

    /// - Parameter remedy: What an operator can do.
    func raise(_ code: String, _ message: String, remedy: String) {
        let problem = StatusReport.Problem(code: code, message: message, remedy: remedy, at: rfc3339(Date()))
        state.withLock { $0.problems[code] = problem }
    }

    func clear(_ code: String) { state.withLock { $0.problems[code] = nil } }

    /// Whether events are taken and can be stored, and delivery gets on, as far as is known.
    var readiness: Readiness {
        state.withLock { state in
            if state.isDraining { return .notReady("The agent is shutting down.") }
            let refusing = Self.codesOfRefusing.compactMap { state.problems[$0] }
            return refusing.first.map { .notReady($0.message) } ?? .ready
        }
    }

    private static let codesOfRefusing =
        ["queue_unavailable", "queue_tampered", "queue_locked", "disk_full", "queue_full"]
        + Liveness.Part.allCases.map(\.code)

    func report(snapshot: QueueSnapshot) -> StatusReport.Agent {
        var agent = StatusReport.Agent()
        agent.pid = getpid()
        let (seconds, attoseconds) = (ContinuousClock.now - started).components
        agent.uptimeSeconds = Double(seconds) + Double(attoseconds) / 1e18
        let (isDraining, problems) = state.withLock { ($0.isDraining, $0.problems) }
        agent.problems = problems.values.sorted { $0.code < $1.code }
        agent.state = isDraining ? .draining : agent.problems.isEmpty ? .running : .degraded
        return agent
    }
}
