// SPDX-License-Identifier: Apache-2.0

/// How the agent is, as of one commit: what `agentctl status --json` prints.
public struct StatusReport: Sendable, Equatable, Codable {
    public var agent = Agent()
    public var queue = Queue()
    public var totals = Totals()
    public var streams: [Stream] = []

    public init() {}

    public struct Agent: Sendable, Equatable, Codable {
        public var version = AgentVersion.current
        public var pid: Int32 = 0
        public var uptimeSeconds = 0.0
        public var state = AgentState.running
        /// What is wrong with the agent itself, rather than with one stream; empty unless it is `degraded`.
        public var problems: [Problem] = []

        public init() {}
    }

    public enum AgentState: String, Sendable, Codable {
        case running, draining, degraded
    }

    public struct Queue: Sendable, Equatable, Codable {
        public var events = 0
        public var bytes = 0
        public var maxBytes = 0
        /// On the agent's own clock; 0 when the queue is empty.
        public var oldestAgeSeconds = 0.0
        /// How many there are now.
        public var deadLetters = 0

        public init() {}
    }

    /// Since the queue file was made. `accepted` = `delivered` + queued + `deadLettered` + `expired` + `evicted` +
    /// `lost`, in every report.
    public struct Totals: Sendable, Equatable, Codable {
        public var accepted = 0
        public var delivered = 0
        public var deadLettered = 0
        public var expired = 0
        public var evicted = 0
        public var lost = 0
        /// Events turned away; not part of the balance.
        public var refused = 0

        public init() {}
    }

    public struct Stream: Sendable, Equatable, Codable {
        public var name = ""
        public var region = ""
        public var state = StreamState.ok
        public var queuedEvents = 0
        public var queuedBytes = 0
        /// Events, not requests; so are `retries` and `throttled`.
        public var inFlight = 0
        /// 0 when nothing is queued.
        public var oldestAgeSeconds = 0.0
        public var delivered = 0
        public var retries = 0
        public var throttled = 0
        /// Dead letters that there are now.
        public var deadLetters = 0
        /// Events turned away.
        public var refused = 0
        /// `key_order`, `throttling`, `workers`, …; `nil`: nothing holds it back but its own linger.
        @ExplicitNull public var limitedBy: String?
        @ExplicitNull public var lastError: Problem?

        public init() {}
    }

    public enum StreamState: String, Sendable, Codable {
        case ok
        case backingOff = "backing_off"
        case parked, paused
    }

    /// What went wrong, and what to do about it.
    public struct Problem: Sendable, Equatable, Codable {
        /// A fixed word, or the name of Kinesis's error.
        public var code: String
        public var message: String
        public var remedy: String
        /// RFC 3339, in UTC.
        public var at: String

        public init(code: String, message: String, remedy: String, at: String) {
            self.code = code
            self.message = message
            self.remedy = remedy
            self.at = at
        }
    }
}
