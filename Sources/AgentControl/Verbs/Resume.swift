// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Deliveries of a paused stream's events again.
public struct ResumeRequest: ControlVerb {
    public typealias Answer = PauseReport

    public static let verb = "resume"

    public let stream: StreamReference

    public init(_ stream: StreamReference) {
        self.stream = stream
    }

    public var lane: ControlLane { .writing }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        stream = try arguments.stream("stream")
    }
}
