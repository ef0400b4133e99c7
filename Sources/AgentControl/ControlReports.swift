// SPDX-License-Identifier: Apache-2.0

public import AgentCore

// What agentd answers, besides StatusReport.

/// A queued event.
public struct EventReport: Sendable, Equatable {
    public let id: Int64
    /// Empty: none.
    public let key: EventKey
    /// Since it was accepted, on the agent's own clock.
    public let ageSeconds: Double
    public let data: Payload

    public init(id: Int64, key: EventKey, ageSeconds: Double, data: Payload) {
        self.id = id
        self.key = key
        self.ageSeconds = ageSeconds
        self.data = data
    }
}

/// An event that was given up, and why.
public struct DeadLetterReport: Sendable, Equatable {
    public let event: EventReport
    public let stream: String
    public let region: String
    public let code: String
    public let reason: String
    /// Since it was given up, on the agent's own clock.
    public let deadSeconds: Double

    public init(
        event: EventReport,
        stream: String,
        region: String,
        code: String,
        reason: String,
        deadSeconds: Double
    ) {
        self.event = event
        self.stream = stream
        self.region = region
        self.code = code
        self.reason = reason
        self.deadSeconds = deadSeconds
    }
}

/// Events that are durable now.
public struct SendReport: Sendable, Equatable, Codable {
    public let accepted: Int
    public let firstId: Int64
    public let lastId: Int64

    public init(accepted: Int, firstID: Int64) {
        self.accepted = accepted
        self.firstId = firstID
        self.lastId = firstID + Int64(accepted) - 1
    }
}

public struct FlushReport: Sendable, Equatable, Codable {
    /// Whether the queue became empty in time.
    public let empty: Bool
    /// What is still in it.
    public let queuedEvents: Int

    public init(empty: Bool, queuedEvents: Int) {
        self.empty = empty
        self.queuedEvents = queuedEvents
    }
}

/// What `pause` or `resume` found and left.
public struct PauseReport: Sendable, Equatable, Codable {
    public let name: String
    public let region: String
    public let paused: Bool
    public let queuedEvents: Int

    public init(name: String, region: String, paused: Bool, queuedEvents: Int) {
        self.name = name
        self.region = region
        self.paused = paused
        self.queuedEvents = queuedEvents
    }
}

/// What one step of a requeue did.
public struct RequeueStep: Sendable, Equatable, Codable {
    /// Requeued, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Where the next step goes on: ``RequeueRequest/after`` and ``RequeueRequest/through``. `nil`: there is none.
    public var next: Range?
    /// Why it ended early, with dead letters left: a sentence.
    public var stoppedBecause: String?

    public struct Range: Sendable, Equatable, Codable {
        public let after: Int64
        public let through: Int64

        public init(after: Int64, through: Int64) {
            self.after = after
            self.through = through
        }
    }

    public init() {}
}

/// What a requeue did, all steps together.
public struct RequeueReport: Sendable, Equatable, Encodable {
    /// Requeued, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Why it ended early, with dead letters left: a sentence.
    @ExplicitNull public var stoppedBecause: String?

    mutating func add(_ step: RequeueStep) {
        events += step.events
        bytes += step.bytes
        missing += step.missing
        stoppedBecause = step.stoppedBecause.map { SafeText.line($0) }
    }
}
