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

/// A request to be made.
public struct OutgoingRequest: Sendable {
    /// What Kinesis is asked to do.
    public enum Operation: Sendable {
        /// PutRecords with 1...500 records, at most 10 MiB of data and keys. They may be stored in any order.
        case putRecords([OutgoingRecord])
        /// PutRecord: the record gets a higher sequence number than `predecessor`, which is that of the record before it
        /// with the same key; empty: there is none.
        case putRecord(OutgoingRecord, after: String)
    }

    public let destination: Destination
    public let operation: Operation

    @inlinable
    public init(destination: Destination, _ operation: Operation) {
        self.destination = destination
        self.operation = operation
    }

    /// A PutRecords request.
    @inlinable
    public init(destination: Destination, records: [OutgoingRecord]) {
        self.init(destination: destination, .putRecords(records))
    }

    /// What it carries, in order.
    @inlinable
    public var records: [OutgoingRecord] {
        switch operation {
        case .putRecords(let records): records
        case .putRecord(let record, _): [record]
        }
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
    /// Kinesis said something of each record; outcome i is record i's.
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
        /// Kinesis answered with an error; `status` and, where there is one, `code` say which.
        case response
        /// Something else answered, such as a proxy or a portal, with `status`: it says nothing of the records, which
        /// may be stored where it is a 5xx.
        case foreign
        /// A 200 that cannot be understood, or that has another number of entries: the records may be stored.
        case unintelligible
    }

    public let kind: Kind
    /// The HTTP status; 0 where there was no answer.
    public let status: Int
    /// The error's name without prefix, such as `ExpiredTokenException`, or the sender's own word for it, such as `dns`;
    /// empty where there is none.
    public let code: String
    /// What happened, for operators: no payload, no credentials.
    public let message: String
    /// What to do about it, where that does not follow from the code; else empty.
    public let advice: String
    /// How long the service asked to wait (`x-amz-retry-after`).
    public let retryAfter: Duration?
    /// Whether a limit of time ended the request after something was sent: the records may be stored, and fewer at
    /// once may get through in time.
    public let isTimeout: Bool

    public init(
        kind: Kind,
        status: Int = 0,
        code: String = "",
        message: String,
        advice: String = "",
        retryAfter: Duration? = nil,
        isTimeout: Bool = false
    ) {
        self.kind = kind
        self.status = status
        self.code = code
        self.message = message
        self.advice = advice
        self.retryAfter = retryAfter
        self.isTimeout = isTimeout
    }

    /// Whether a smaller request may fare better: after a time-out, and where something between refuses the size. Also
    /// where the answer cannot be understood, because then each attempt may store all records once more.
    public var asksForLess: Bool {
        isTimeout || kind == .unintelligible || kind == .foreign && status == 413
    }
}

/// Makes requests to Kinesis, one at a time: each worker has a sender of its own.
public protocol RecordSender: AnyObject {
    /// Blocks until the request is answered, failed, or timed out. Called on the worker's own queue only.
    func send(_ request: OutgoingRequest) -> SendOutcome

    /// Ends its requests early. Always the same object.
    var cancellation: SendCancellation { get }
}
