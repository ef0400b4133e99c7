// SPDX-License-Identifier: Apache-2.0

/// What a fault is a fault of, and therefore what is done about it. None of these ever costs an event but
/// ``record``, and that only after proof.
public enum Disposition: Hashable, Sendable {
    /// The shard of one key has no capacity left: slow that key.
    case throttledKey
    /// The stream, the account or its KMS key has no capacity left: slow the destination.
    case throttledDestination
    /// Passes by itself; the request may have been carried out.
    case transient
    /// Nobody answers at the endpoint, what answers is not well, or something else answers in its place.
    case endpoint
    /// Credentials are missing, expired or wrong.
    case identity
    /// The signature's time is not Kinesis's time.
    case clock
    /// The stream is missing, or its policy or KMS key does not let us in.
    case destination
    /// A record cannot be accepted, whatever is tried.
    case record

    /// Whether it heals only when somebody does something: the destination is parked and probed slowly.
    public var parks: Bool {
        switch self {
        case .identity, .clock, .destination, .record: true
        case .throttledKey, .throttledDestination, .transient, .endpoint: false
        }
    }

    /// Judges the error of one entry of an answer.
    public init(entryCode code: String) {
        switch Self.word(code) {
        case "ProvisionedThroughputExceeded", "KMSThrottling", "Throttling", "LimitExceeded": self = .throttledKey
        case let word: self = Self.byWord[word] ?? .transient
        }
    }

    /// Judges the failure of a whole request.
    public init(_ failure: SendFailure) {
        switch failure.kind {
        case .noCredentials: self = .identity
        case .connect, .transport, .unintelligible, .foreign: self = .endpoint
        case .response:
            if let known = Self.byWord[Self.word(failure.code)] {
                self =
                    known == .identity && Self.speaksOfTime(failure.message) ? .clock : known
                return
            }
            switch failure.status {
            case 429: self = .throttledDestination
            case 401, 403, 404: self = .destination
            case 413: self = .record
            case 400..<500: self = .transient
            default: self = .endpoint
            }
        }
    }

    /// The code without its `Exception` or `Error`.
    static func word(_ code: String) -> String {
        for suffix in ["Exception", "Error"] where code.hasSuffix(suffix) { return String(code.dropLast(suffix.count)) }
        return code
    }

    /// Kinesis reports a wrong clock as an invalid signature: "Signature expired: …", "Signature not yet current: …".
    private static func speaksOfTime(_ message: String) -> Bool {
        message.hasPrefix("Signature expired") || message.hasPrefix("Signature not yet current")
    }

    /// The modelled errors of PutRecords and the errors common to all services.
    private static let byWord: [String: Disposition] = [
        "ProvisionedThroughputExceeded": .throttledDestination,
        "Throttling": .throttledDestination,
        "ThrottledException": .throttledDestination,
        "TooManyRequests": .throttledDestination,
        "RequestLimitExceeded": .throttledDestination,
        "LimitExceeded": .throttledDestination,
        "SlowDown": .throttledDestination,
        "KMSThrottling": .throttledDestination,

        "InternalFailure": .endpoint,
        "InternalServer": .endpoint,
        "ServiceUnavailable": .endpoint,
        "RequestTimeout": .endpoint,

        "ExpiredToken": .identity,
        "UnrecognizedClient": .identity,
        "InvalidClientTokenId": .identity,
        "InvalidAccessKeyId": .identity,
        "InvalidSignature": .identity,
        "SignatureDoesNotMatch": .identity,
        "IncompleteSignature": .identity,
        "MissingAuthenticationToken": .identity,
        "AuthFailure": .identity,

        // Our own word, where the next request will have the right time.
        "clock_learnt": .transient,
        "RequestExpired": .clock,
        "RequestInTheFuture": .clock,
        "RequestTimeTooSkewed": .clock,

        "AccessDenied": .destination,
        "NotAuthorized": .destination,
        "ResourceNotFound": .destination,
        "KMSAccessDenied": .destination,
        "KMSDisabled": .destination,
        "KMSInvalidState": .destination,
        "KMSNotFound": .destination,
        "KMSOptInRequired": .destination,
        "OptInRequired": .destination,
        "SubscriptionRequired": .destination,
        "UnknownOperation": .destination,

        "InvalidArgument": .record,
        "Validation": .record,
        "Serialization": .record,
        "InvalidParameterValue": .record,
        "RequestEntityTooLarge": .record,
    ]
}
