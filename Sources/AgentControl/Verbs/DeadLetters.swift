// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Dead letters in the order of their ids.
public struct DeadLetterQuery: ControlVerb {
    public typealias Answer = [DeadLetterReport]

    public static let verb = "dead_letters"

    /// `nil`: of all streams.
    public let stream: StreamReference?
    /// Only those with larger ids.
    public let after: Int64
    public let limit: Int
    /// At most so many bytes of data, but at least one dead letter where there is one.
    public let maxBytes: Int

    public init(
        stream: StreamReference?,
        after: Int64 = 0,
        limit: Int,
        maxBytes: Int = ControlLimits.pageBytes.upperBound
    ) {
        self.stream = stream
        self.after = after
        self.limit = limit
        self.maxBytes = maxBytes
    }

    public var lane: ControlLane { .reading }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        stream = arguments["stream"] == nil ? nil : try arguments.stream("stream")
        after = try arguments.integer("after", in: ControlLimits.after, absent: 0)
        limit = try arguments.integer("limit", in: ControlLimits.pageEvents)
        maxBytes = try arguments.maxBytes()
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
