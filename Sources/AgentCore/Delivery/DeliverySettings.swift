// SPDX-License-Identifier: Apache-2.0

/// What holds for all destinations.
public struct DeliverySettings: Hashable, Sendable {
    /// Requests that may be under way at once, 1 or more.
    public var workers: Int
    /// Requests of a destination that are not full begin no closer together than this.
    public var linger: Duration
    /// Data and keys of one request, in bytes before base64, at most ``KinesisLimits/requestBytes``. A larger record
    /// goes alone.
    public var maxBatchBytes: Int
    /// Payloads that delivery holds in memory, in bytes, over all destinations. Beyond it, half as many destinations as
    /// there are workers may hold one event, however large, so that none stands still; and 8 more while Kinesis refuses
    /// requests without naming a record.
    public var memoryBytes: Int
    /// Blocked events of one destination that are remembered one by one, before whole lanes are spilled.
    public var maxReferences: Int
    /// After so long without an answer a request counts as sick, and is cancelled when healthy events want its worker
    /// and no byte of it moves.
    public var suspectAfter: Duration

    public init(
        workers: Int = 8,
        linger: Duration = .milliseconds(50),
        maxBatchBytes: Int = 1 << 20,
        memoryBytes: Int = 12 << 20,
        maxReferences: Int = 16_384,
        suspectAfter: Duration = .seconds(2)
    ) {
        precondition(workers > 0 && maxBatchBytes > 0 && memoryBytes > 0 && maxReferences > 0)
        self.workers = workers
        self.linger = linger
        self.maxBatchBytes = min(maxBatchBytes, KinesisLimits.requestBytes)
        self.memoryBytes = memoryBytes
        self.maxReferences = maxReferences
        self.suspectAfter = suspectAfter
    }

    /// Of the workers, no destination holds more than half, nor do those that were never heard of…
    var workersOfOne: Int { max(1, workers / 2) }
    /// …those that were not heard of for some time leave some to the others…
    var workersOfLate: Int { max(1, workers - max(1, workers / 4)) }
    /// …and all that are sick together at most a quarter.
    var workersOfSick: Int { max(1, workers / 4) }

    /// So many destinations may hold one event beyond all that is allowed, so that none stands still.
    var mostOverdrafts: Int { workersOfOne }

    /// So many destinations whose events do not flow hold what their next probe is made of.
    var mostProbes: Int { 2 * workersOfSick }

    /// A request of a destination that is sick, or was never heard of, holds its worker no longer than this while others
    /// that were never heard of want it.
    var hasteAfter: Duration { suspectAfter / 2 }
}

/// What holds for one destination.
public struct DestinationSettings: Hashable, Sendable {
    public enum Ordering: String, Hashable, Sendable, CaseIterable {
        /// Events of a key arrive in the order of their ids: a key is in at most one request at a time.
        case key
        /// Events arrive in any order.
        case none
    }

    public var ordering: Ordering
    /// The stream's largest data plus partition key, in bytes.
    public var maxRecordBytes: Int
    /// Names the endpoint that requests go to; destinations with the same name share its health.
    public var endpoint: String
    /// Names the credentials that requests are signed with; destinations with the same name share their health…
    public var identity: String
    /// …where they are of the same place: a region may not know credentials that others take. Empty: everywhere.
    public var identityPlace: String
    /// Why the destination is not to be delivered to at all, for instance since it left the configuration.
    public var parkedBecause: String?

    public init(
        ordering: Ordering = .key,
        maxRecordBytes: Int = KinesisLimits.defaultRecordBytes,
        endpoint: String,
        identity: String = "",
        identityPlace: String = "",
        parkedBecause: String? = nil
    ) {
        self.ordering = ordering
        self.maxRecordBytes = maxRecordBytes
        self.endpoint = endpoint
        self.identity = identity
        self.identityPlace = identityPlace
        self.parkedBecause = parkedBecause
    }
}
