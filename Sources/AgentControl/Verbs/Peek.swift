// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Queued events in the order of their ids, without taking them out.
public struct PeekRequest: ControlVerb {
    public typealias Answer = [EventReport]

    public static let verb = "peek"

    public let stream: StreamReference
    /// Only events with larger ids.
    public let after: Int64
    /// At most so many events, and at most so many bytes of data, but at least one event where there is one.
    public let limit: Int
    public let maxBytes: Int

    public init(
        stream: StreamReference,
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
        stream = try arguments.stream("stream")
        after = try arguments.integer("after", in: ControlLimits.after, absent: 0)
        limit = try arguments.integer("limit", in: ControlLimits.pageEvents)
        maxBytes = try arguments.maxBytes()
    }
}

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
