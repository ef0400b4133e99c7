// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// No more deliveries of a stream's events; new ones are still queued.
public struct PauseRequest: ControlVerb {
    public typealias Answer = PauseReport

    public static let verb = "pause"

    public let stream: StreamReference

    public init(_ stream: StreamReference) {
        self.stream = stream
    }

    public var lane: ControlLane { .writing }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        stream = try arguments.stream("stream")
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
