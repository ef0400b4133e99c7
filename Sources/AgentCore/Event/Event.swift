// SPDX-License-Identifier: Apache-2.0

/// An event on its way into the queue.
public struct NewEvent: Sendable {
    public let destination: DestinationID
    public let key: EventKey
    public let data: Payload

    @inlinable
    public init(destination: DestinationID, key: EventKey, data: Payload) {
        self.destination = destination
        self.key = key
        self.data = data
    }
}

/// An event that is in the queue.
public struct StoredEvent: Sendable {
    public let id: EventID
    public let key: EventKey
    /// When the agent took it, on the agent's own clock, in milliseconds.
    public let acceptedMS: Int64
    public let data: Payload

    @inlinable
    public init(id: EventID, key: EventKey, acceptedMS: Int64, data: Payload) {
        self.id = id
        self.key = key
        self.acceptedMS = acceptedMS
        self.data = data
    }

    /// Data plus partition key, in bytes: what Kinesis counts.
    @inlinable public var recordBytes: Int { data.count + key.bytes }
}
