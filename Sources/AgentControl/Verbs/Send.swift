// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Events to be queued together: all or none.
public struct SendRequest: ControlVerb {
    public typealias Answer = SendReport

    public static let verb = "send"

    public let stream: StreamReference
    /// Of each event one, or one for all of them.
    public let keys: [EventKey]
    /// One or more.
    public let events: [Payload]
    /// Whether each event has to be well-formed JSON.
    public let isJSON: Bool

    public init(stream: StreamReference, keys: [EventKey], events: [Payload], isJSON: Bool) {
        self.stream = stream
        self.keys = keys
        self.events = events
        self.isJSON = isJSON
    }

    public var lane: ControlLane { .writing }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        stream = try arguments.stream("stream")
        let haveOwnKeys = arguments["partition_keys"] != nil
        // What comes back from an export may be empty; what somebody types is not meant to be.
        events = try arguments.payloads("events_base64", mayBeEmpty: haveOwnKeys)
        keys =
            if haveOwnKeys {
                try arguments.keys("partition_keys", "explicit_hash_keys", count: events.count)
            } else {
                [EventKey(partitionKey: try arguments.partitionKey("partition_key"))]
            }
        isJSON = try arguments.flag("json")
    }

    private enum CodingKeys: String, CodingKey {
        case stream, partitionKey, partitionKeys, explicitHashKeys, eventsBase64, json
    }

    /// Always base64, which is never longer than 4/3 of the data; escaped text can be.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(stream, forKey: .stream)
        if keys.count == 1, keys[0].explicitHashKey.isEmpty {
            try container.encode(keys[0].partitionKey, forKey: .partitionKey)
        } else {
            try container.encode(keys.map(\.partitionKey), forKey: .partitionKeys)
            try container.encode(keys.map(\.explicitHashKey), forKey: .explicitHashKeys)
        }
        try container.encode(events.map(base64), forKey: .eventsBase64)
        try container.encode(isJSON, forKey: .json)
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
