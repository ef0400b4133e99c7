// SPDX-License-Identifier: Apache-2.0

/// One fault: what it does, to which requests or records, how often and how long.
///
/// Its JSON form has the same names in snake case; all but `action` may be left out.
struct FaultRule: Codable, Equatable, Sendable {
    enum Action: String, Codable, Sendable {
        /// Refuses records one by one in a PutRecords answer (a PutRecord as a whole) with `code` and `message`.
        case failRecord = "fail_record"
        /// Answers with `code`, `message` and `status`.
        case error
        /// Answers with `status`, `body` and `headers`, as a proxy in between would: no error of the service, and
        /// without its request id. With `unread` before the body is read.
        case status
        /// Resets the connection instead of answering.
        case reset
        /// Resets the connection as soon as the head of the request is there.
        case resetUnread = "reset_unread"
        /// Never answers; the connection stays open.
        case hang
        /// Nothing but `delay_ms`.
        case delay
        /// Answers 200 with `body`, or bytes that are no JSON.
        case garbage
        /// Promises the whole answer, and closes in the middle of it.
        case truncate
        /// Answers PutRecords with `entries` entries more, or less where negative.
        case wrongCount = "wrong_count"
        /// Answers with entries that contradict themselves or the API, in the way that `how` names.
        case contradict
        /// Answers, and closes the connection without having said so.
        case close
        /// A shard takes `records_per_second` and `bytes_per_second`, 0 for none, and refuses the rest as the service
        /// does. Each shard that matches has a limit of its own; what is left out is not limited.
        case limit
        /// Connections are reset when they are made, and at their next request. Those of the control API too, so it
        /// must end by itself; `reset_unread` with operation `*` is an outage that can be cleared.
        case refuse
        /// The server's clock is off by `offset_seconds`, in its Date header and for signatures.
        case clock
        /// Request bodies are read at `bytes_per_second`.
        case slowRead = "slow_read"
        /// For `for_ms` nobody listens, and open connections are reset: once, `after_ms` from now.
        case outage
        /// The shards of `stream` change to `shards`, or by `split` or `merge`: once, `after_ms` from now.
        case reshard

        /// When the server asks whether a fault strikes.
        var stage: Stage {
            switch self {
            case .refuse: .connection
            case .resetUnread, .slowRead: .head
            case .error, .status, .reset, .hang, .delay, .garbage, .truncate, .wrongCount, .contradict, .close:
                .request
            case .failRecord, .limit: .record
            case .clock: .always
            case .outage, .reshard: .once
            }
        }
    }

    enum Stage { case connection, head, request, record, always, once }

    /// How an answer contradicts itself.
    enum Contradiction: String, Codable, Sendable {
        /// Accepted records have an empty error code and message beside their sequence number.
        case emptyErrorCode = "empty_error_code"
        /// Accepted records have an error code beside their sequence number.
        case errorCode = "error_code"
        /// Sequence numbers are numbers of JSON.
        case number
        /// Entries of accepted records have no members.
        case noMembers = "no_members"
        /// One record more is said to have failed than entries say.
        case failedCount = "failed_count"
        /// The number of failed records is a text.
        case countAsText = "count_as_text"
    }

    /// When the server asks whether it strikes.
    var stage: Stage { action == .status && unread == true ? .head : action.stage }

    /// Whether it looks at the records of a request.
    var selectsRecords: Bool { shard != nil || partitionKey != nil || dataContains != nil }

    var id: String?
    var action: Action

    // Which requests.

    /// `PutRecords`, …; `*` for all; left out: PutRecord and PutRecords.
    var operation: String?
    var stream: String?
    // Which records; a fault of whole requests applies where any record matches.
    var shard: String?
    var partitionKey: String?
    var dataContains: String?
    /// Only requests whose body has so many bytes, by their Content-Length.
    var minBytes: Int?
    /// Only requests that wait for a `100 Continue`.
    var expects: Bool?

    // How often, among what matches.

    /// 0...1, default 1.
    var probability: Double?
    /// Of the rule's own generator; default from the server's seed and the rule's number.
    var seed: UInt64?
    /// Let so many pass first.
    var skip: Int?
    /// Then fire so many times at most.
    var count: Int?
    /// The window, from the moment when the rule was given.
    var afterMS: Int64?
    var forMS: Int64?

    // What exactly.

    /// Whether the records are stored although the answer does not say so. Default: for `truncate`, `garbage`,
    /// `wrong_count`, `contradict`, `close` and `delay` yes; for `error`, `status`, `reset` and `hang` no.
    var stored: Bool?
    var code: String?
    var message: String?
    var status: Int?
    var body: String?
    /// Further headers of a `status` or `error`.
    var headers: [String: String]?
    /// Whether a `status` is sent as soon as the head of the request is there.
    var unread: Bool?
    var how: Contradiction?
    /// The answer waits so long, whatever the action.
    var delayMS: Int64?
    /// Sent in `x-amz-retry-after`.
    var retryAfterMS: Int64?
    var entries: Int?
    var offsetSeconds: Int64?
    var bytesPerSecond: Int?
    var recordsPerSecond: Int?
    var shards: Int?
    var split: String?
    var merge: [String]?

    init(action: Action) { self.action = action }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, action, operation, stream, shard, probability, seed, skip, count, stored, code, message, status, body
        case entries, shards, split, merge, expects, headers, unread, how
        case partitionKey = "partition_key"
        case dataContains = "data_contains"
        case afterMS = "after_ms"
        case forMS = "for_ms"
        case delayMS = "delay_ms"
        case retryAfterMS = "retry_after_ms"
        case offsetSeconds = "offset_seconds"
        case bytesPerSecond = "bytes_per_second"
        case recordsPerSecond = "records_per_second"
        case minBytes = "min_bytes"
    }

    /// What is wrong with it; `nil`: nothing.
    var fault: String? {
        if let probability, !(0...1).contains(probability) { return "probability must be 0...1" }
        if let skip, skip < 0 { return "skip must not be negative" }
        if let count, count < 1 { return "count must be at least 1" }
        if let afterMS, afterMS < 0 { return "after_ms must not be negative" }
        if let forMS, forMS < 1 { return "for_ms must be at least 1" }
        if let status, !(200...599).contains(status) { return "status must be 200...599" }
        if let delayMS, delayMS < 0 { return "delay_ms must not be negative" }
        if let operation, operation != "*", Operation(rawValue: operation) == nil {
            return "operation \(operation) is not known"
        }
        if stored == false, action == .wrongCount || action == .contradict || action == .close || action == .delay {
            return "\(action.rawValue) gives an answer, so the records must be stored"
        }
        if let dataContains, dataContains.isEmpty { return "data_contains must not be empty" }
        if headers != nil, action != .status, action != .error { return "headers are of status and error" }
        if unread != nil, action != .status { return "unread is of status" }
        if how != nil, action != .contradict { return "how is of contradict" }
        if recordsPerSecond != nil, action != .limit { return "records_per_second is of limit" }
        switch action {
        case .error, .failRecord:
            if action == .error, code == nil { return "error needs code" }
        case .status:
            if status == nil { return "status needs status" }
        case .delay:
            if delayMS == nil { return "delay needs delay_ms" }
        case .wrongCount:
            if entries ?? 0 == 0 { return "wrong_count needs entries other than 0" }
        case .clock:
            if offsetSeconds == nil { return "clock needs offset_seconds" }
        case .slowRead:
            if bytesPerSecond ?? 0 < 1 { return "slow_read needs bytes_per_second of at least 1" }
        case .contradict:
            if how == nil { return "contradict needs how" }
        case .limit:
            if recordsPerSecond == nil, bytesPerSecond == nil {
                return "limit needs records_per_second, bytes_per_second or both"
            }
            for rate in [recordsPerSecond, bytesPerSecond] where !ShardLimiter.Rates.bounds.contains(Int64(rate ?? 0)) {
                return
                    "records_per_second and bytes_per_second of limit are 0...\(ShardLimiter.Rates.bounds.upperBound)"
            }
            if partitionKey != nil || dataContains != nil || probability != nil || skip != nil || count != nil {
                return "limit is of shards: it takes stream, shard and a window"
            }
        case .refuse:
            if forMS == nil, count == nil { return "refuse needs for_ms or count: nobody could clear it" }
        case .outage:
            if forMS == nil { return "outage needs for_ms" }
        case .reshard:
            if resharding?.isWellFormed != true { return "reshard needs stream. \(Resharding.form)" }
        case .reset, .resetUnread, .hang, .garbage, .truncate, .close: break
        }
        if shards != nil || split != nil || merge != nil, action != .reshard {
            return "shards, split and merge are of reshard"
        }
        if expects != nil, stage != .head { return "expects is of what acts before the body is read" }
        if minBytes != nil, stage != .head && stage != .request { return "min_bytes is of whole requests" }
        switch stage {
        case .connection, .head, .always:
            if selectsRecords || stream != nil {
                return "\(action.rawValue) acts before the body is read: it cannot match a stream or records"
            }
        case .once:
            if selectsRecords || operation != nil || count != nil || skip != nil || probability != nil {
                return "\(action.rawValue) happens once, whatever is asked"
            }
        case .request, .record: break
        }
        return nil
    }

    /// What a `limit` leaves to each shard.
    var rates: ShardLimiter.Rates {
        ShardLimiter.Rates(
            recordsPerSecond: recordsPerSecond.map(Int64.init) ?? ShardLimiter.Rates.bounds.upperBound,
            bytesPerSecond: bytesPerSecond.map(Int64.init) ?? ShardLimiter.Rates.bounds.upperBound
        )
    }

    var resharding: Resharding? {
        stream.map { Resharding(stream: $0, shards: shards, split: split, merge: merge) }
    }

    func matches(_ operation: Operation) -> Bool {
        guard let wanted = self.operation else { return operation == .putRecord || operation == .putRecords }
        return wanted == "*" || wanted == operation.rawValue
    }

    /// Whether records are stored where this fault strikes their request.
    var storesRecords: Bool {
        switch action {
        case .error, .status, .reset, .hang: stored ?? false
        case .truncate, .garbage, .wrongCount, .contradict, .close, .delay: stored ?? true
        case .failRecord, .limit, .resetUnread, .refuse, .clock, .slowRead, .outage, .reshard: true
        }
    }

    /// Whether the client gets the answer that it would have got without this fault.
    var leavesAnswer: Bool {
        switch action {
        case .delay, .close, .failRecord, .limit, .refuse, .clock, .slowRead, .outage, .reshard: true
        case .error, .status, .reset, .resetUnread, .hang, .garbage, .truncate, .wrongCount, .contradict: false
        }
    }

    /// The status that `code` comes with unless the rule says another.
    var errorStatus: Int {
        if let status { return status }
        switch code {
        case "InternalFailure", "InternalFailureException": return 500
        case "ServiceUnavailable", "ServiceUnavailableException": return 503
        default: return 400
        }
    }
}
