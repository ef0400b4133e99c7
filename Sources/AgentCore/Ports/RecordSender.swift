// SPDX-License-Identifier: Apache-2.0

/// One record of a request to Kinesis.
public struct OutgoingRecord: Sendable {
    public let partitionKey: String
    /// Empty: none.
    public let explicitHashKey: String
    /// What Kinesis receives, before base64.
    public let data: Payload

    @inlinable
    public init(partitionKey: String, explicitHashKey: String, data: Payload) {
        self.partitionKey = partitionKey
        self.explicitHashKey = explicitHashKey
        self.data = data
    }
}

/// A PutRecords request to be made.
public struct OutgoingRequest: Sendable {
    public let destination: Destination
    /// 1...500 records, at most 10 MiB of data and keys.
    public let records: [OutgoingRecord]

    @inlinable
    public init(destination: Destination, records: [OutgoingRecord]) {
        self.destination = destination
        self.records = records
    }
}

/// What Kinesis said of one record.
public enum RecordOutcome: Sendable {
    /// Stored: a sequence number and a shard, as text.
    case accepted(sequenceNumber: Payload, shard: Payload)
    /// Not stored: an error code and message of the answer's entry.
    case refused(code: String, message: String)
}

/// What came of a request.
public enum SendOutcome: Sendable {
    /// Kinesis answered 200 with as many entries as there were records; entry i is record i's.
    case answered([RecordOutcome])
    case failed(SendFailure)
}

/// Why a whole request failed.
public struct SendFailure: Sendable {
    public enum Kind: Hashable, Sendable {
        /// There are no credentials: nothing was sent.
        case noCredentials
        /// No connection (refused, no route, name not found, TLS): nothing was sent.
        case connect
        /// Time-out, reset or cancellation after something was sent: the records may be stored.
        case transport
        /// Kinesis (or a proxy) answered with an error; `status` and, where there is one, `code` say which.
        case response
        /// A 200 that cannot be understood, or that has another number of entries: the records may be stored.
        case unintelligible
    }

    public let kind: Kind
    /// The HTTP status; 0 where there was no answer.
    public let status: Int
    /// The error's name without prefix, such as `ExpiredTokenException`; empty where the answer had none.
    public let code: String
    /// What happened, for operators: no payload, no credentials.
    public let message: String
    /// How long the service asked to wait (`x-amz-retry-after`).
    public let retryAfter: Duration?

    public init(kind: Kind, status: Int = 0, code: String = "", message: String, retryAfter: Duration? = nil) {
        self.kind = kind
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }
}

/// Makes requests to Kinesis, one at a time: each worker has a sender of its own.
public protocol RecordSender: AnyObject {
    /// Blocks until the request is answered, failed, or timed out. Called on the worker's own queue only.
    func send(_ request: OutgoingRequest) -> SendOutcome
}
