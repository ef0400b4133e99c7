// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// A fault that lasts for a while.
struct Weather {
    enum Kind: Hashable, CaseIterable {
        /// No connection: nothing is stored.
        case unreachable
        /// No answer until a time-out; what was sent may be stored, then or much later.
        case hangs
        /// All is done, and the answer lost.
        case losesAnswers
        /// 500 and 503, done or not.
        case serverErrors
        /// Answers with an entry too few or too many, or that are no answers.
        case garbles
        /// The whole request is throttled.
        case throttles
        /// Some entries fail.
        case failsEntries
        /// All of them do, for no reason that a shard would have.
        case failsAllEntries
        case expiredCredentials
        case noCredentials
        case wrongClock
        case streamMissing
        case accessDenied
        /// Refuses each request as it refuses those with a record that it never takes: the stream's fault, not a record's.
        case refusesAll
        /// Slow, and nothing else.
        case slow
        /// A link that carries 50 kB/s: what takes too long is cut off, and stored all the same if most of it was sent.
        case narrow
    }

    enum Scope {
        case stream(Destination)
        case endpoint(String)
        case identity(String)
        case everything
    }

    let kind: Kind
    let scope: Scope
    let from: Instant
    let until: Instant
    /// How many of the requests it meets.
    let probability: Double

    func meets(_ request: SimulatedRequest, at now: Instant) -> Bool {
        guard from <= now, now < until else { return false }
        return switch scope {
        case .stream(let stream): stream == request.batch.request.destination
        case .endpoint(let name): name == request.endpoint
        case .identity(let name): name == request.identity
        case .everything: true
        }
    }
}

/// A request on its way through the simulated world.
struct SimulatedRequest {
    let batch: Batch
    let endpoint: String
    let identity: String
    let began: Instant
    /// How far the time that signed it is from Kinesis's.
    let clockError: Duration
    /// Whether the destination kept the order of keys when the request was made.
    let isOrdered: Bool
}
