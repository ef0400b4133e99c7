// SPDX-License-Identifier: Apache-2.0

/// What ingest needs to know of a destination.
public struct StreamTarget: Sendable {
    public let id: DestinationID
    public let destination: Destination
    /// The largest data plus partition key, in bytes.
    public let maxRecordBytes: Int
    /// Where in an event its partition key is, when the request gives none; `nil`: nowhere.
    public let partitionKeyPointer: JSONPointer?

    public init(
        id: DestinationID,
        destination: Destination,
        maxRecordBytes: Int = KinesisLimits.defaultRecordBytes,
        partitionKeyPointer: JSONPointer? = nil
    ) {
        self.id = id
        self.destination = destination
        self.maxRecordBytes = maxRecordBytes
        self.partitionKeyPointer = partitionKeyPointer
    }
}

/// Which streams events may be posted to.
public protocol StreamDirectory: Sendable {
    /// The destination for a name and a region; `nil` region is the configured one. Any thread; never blocks.
    /// What it is once, it is for good: callers may keep it.
    func target(stream: String, region: String?) throws(StreamRefusal) -> StreamTarget

    /// All destinations of a region that take events, in the order of their names; `nil` region is the configured one.
    /// Any thread; never blocks.
    func streams(region: String?) -> [StreamTarget]

    /// Whether events of the destination flow: `false` while it is backing off, parked or paused. Any thread.
    func isDelivering(_ id: DestinationID) -> Bool
}

/// Why a stream takes no events.
public enum StreamRefusal: Error, Hashable, Sendable {
    /// Not a name that a stream can have.
    case invalidName(String)
    /// Not a region, or none that is known while there is no endpoint for it. `nearest` is a known one that looks alike.
    case invalidRegion(String, nearest: String?)
    /// Not in the configuration, and `streams.accept` is `listed`. `nearest` is a listed name that looks alike.
    case notListed(stream: String, region: String, nearest: String?)
    /// `streams.accept` is `any`, and `max_destinations` are in use.
    case tooMany(limit: Int)
}
