// SPDX-License-Identifier: Apache-2.0

/// Send without linger, and wait until the queue is empty.
public struct FlushRequest: ControlVerb {
    public typealias Answer = FlushReport

    public static let verb = "flush"

    /// 0: only look. See ``ControlLimits/timeoutSeconds``.
    public let timeoutSeconds: Double

    public init(timeoutSeconds: Double) {
        self.timeoutSeconds = timeoutSeconds
    }

    public var lane: ControlLane { timeoutSeconds > 0 ? .waiting : .reading }

    public var patience: Duration {
        // The comparison is false for what is no number, which agentd will refuse.
        let wait = timeoutSeconds <= ControlLimits.timeoutSeconds.upperBound ? timeoutSeconds : 0
        return .seconds(max(0, wait) + 30)
    }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        timeoutSeconds = try arguments.number("timeout_seconds", in: ControlLimits.timeoutSeconds)
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
