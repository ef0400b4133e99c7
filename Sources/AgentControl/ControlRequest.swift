// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// What agentctl asks of agentd.
public enum ControlRequest: Sendable {
    case status
    case peek(PeekRequest)
    case send(SendRequest)
    case flush(FlushRequest)
    case pause(StreamReference)
    case resume(StreamReference)
    case deadLetters(DeadLetterQuery)
    case deadLetter(id: Int64)
    case requeue(RequeueRequest)
}

/// A stream as an operator names it: `name`, in the configured region, or `name@region`.
public struct StreamReference: Sendable, Hashable, Codable, CustomStringConvertible {
    public let name: String
    public let region: String?

    public init(name: String, region: String? = nil) {
        self.name = name
        self.region = region
    }

    /// - Returns: `nil` where the name is not one that a stream can have, or the region not one that AWS can have.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard KinesisLimits.isStreamName(parts[0]) else { return nil }
        if parts.count == 2, !Region.isWellFormed(parts[1]) { return nil }
        self.init(name: String(parts[0]), region: parts.count == 2 ? String(parts[1]) : nil)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let stream = StreamReference(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a stream")
        }
        self = stream
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String { region.map { "\(name)@\($0)" } ?? name }
}

/// Queued events in the order of their ids, without taking them out.
public struct PeekRequest: Sendable, Encodable {
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
}

/// Events to be queued together: all or none.
public struct SendRequest: Sendable {
    public let stream: StreamReference
    /// Empty: none.
    public let partitionKey: String
    /// One or more.
    public let events: [Payload]
    /// Whether each event has to be well-formed JSON.
    public let isJSON: Bool

    public init(stream: StreamReference, partitionKey: String, events: [Payload], isJSON: Bool) {
        self.stream = stream
        self.partitionKey = partitionKey
        self.events = events
        self.isJSON = isJSON
    }
}

/// Send without linger, and wait until the queue is empty.
public struct FlushRequest: Sendable, Encodable {
    /// 0: only look. See ``ControlLimits/timeoutSeconds``.
    public let timeoutSeconds: Double

    public init(timeoutSeconds: Double) {
        self.timeoutSeconds = timeoutSeconds
    }
}

/// Dead letters in the order of their ids.
public struct DeadLetterQuery: Sendable, Encodable {
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
}

/// Dead letters to be queued again, with new ids, at the tail: one step of it, which is short.
public struct RequeueRequest: Sendable, Encodable {
    public enum Which: Sendable, Encodable {
        /// At most ``ControlLimits/idsPerRequest``.
        case ids([Int64])
        case stream(StreamReference)
    }

    public let which: Which
    /// Only count what would be requeued.
    public let dryRun: Bool
    /// Of a stream: only those with larger ids, from where the step before ended.
    public let after: Int64
    /// Of a stream: only those with ids up to this, so that letters which come back meanwhile are left alone. 0: what
    /// there is now.
    public let through: Int64

    public init(_ which: Which, dryRun: Bool, after: Int64 = 0, through: Int64 = 0) {
        self.which = which
        self.dryRun = dryRun
        self.after = after
        self.through = through
    }
}
