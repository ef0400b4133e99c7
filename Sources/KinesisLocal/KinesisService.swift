// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Glibc

/// What is sent back, and how.
struct Reply {
    enum Ending: Equatable {
        /// The whole answer, and the connection stays.
        case keep
        /// The whole answer, and the connection is closed.
        case close
        /// Half of the answer, and the connection is closed.
        case truncate
        /// No answer: the connection is reset.
        case reset
        /// No answer: the connection stays open.
        case hang
    }

    var status = 200
    var contentType = "application/x-amz-json-1.1"
    var body: [UInt8]
    var delayMS: Int64 = 0
    var ending = Ending.keep
    /// The service's wish for the next attempt, in `x-amz-retry-after`.
    var retryAfterMS: Int64?
    /// Whether the service gave it, which has a request id then, or something on the way.
    var isOfService = true
    /// Beside those that every answer has.
    var headers: [String: String] = [:]
    /// What a put stored, where this answer says so.
    var tells: Range<UInt64>?
    /// But for this answer, the server is gone for so long.
    var outageMS: Int64?

    init(status: Int = 200, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// The Kinesis API over the streams in memory, with faults. Belongs to one event loop; does no I/O but the journal's.
final class KinesisService {
    let region: String
    /// How far the server's clock is off, faults aside.
    let clockOffsetSeconds: Int64
    var store: StreamStore
    var faults: FaultPlan
    var statistics = Statistics()
    var untold = UntoldRecords()
    var authenticator: Authenticator?
    let journal: JournalFile?
    private var requestIDs: UInt64 = 0
    /// Reused by every put, so that its memory is.
    var put = PutRequest()

    init(
        region: String,
        clockOffsetSeconds: Int64 = 0,
        store: StreamStore,
        faults: FaultPlan,
        authenticator: Authenticator?,
        journal: JournalFile?
    ) {
        self.region = region
        self.clockOffsetSeconds = clockOffsetSeconds
        self.store = store
        self.faults = faults
        self.authenticator = authenticator
        self.journal = journal
    }

    /// The server's clock, faults included, in seconds since 1970.
    func clockSeconds(_ now: Moment) -> Int64 {
        let seconds = now.wallMS / 1000 + clockOffsetSeconds
        return faults.isEmpty ? seconds : seconds + faults.clockOffset(now: now.monotonic).components.seconds
    }

    /// Answers a request of the Kinesis API.
    func answer(
        target: String,
        request: Authenticator.SignedRequest,
        now: Moment
    ) -> Reply {
        let operation = Operation(target: target)
        statistics.requests[operation?.rawValue ?? "unknown", default: 0] += 1
        do throws(APIError) {
            try authenticator?.check(request, clockSeconds: clockSeconds(now))
            guard let operation else { throw APIError("UnknownOperationException", "") }
            if request.header("content-type")?.contains("cbor") ?? false {
                throw .serialization("This server speaks JSON 1.1 only; for a Java SDK set AWS_CBOR_DISABLED=true.")
            }
            switch operation {
            case .putRecords, .putRecord: return try putReply(operation, request.payload, now: now)
            default: return try controlReply(operation, request.payload, now: now)
            }
        } catch {
            return refusal(error)
        }
    }

    /// Carries out a fault that changes shards. One that cannot be carried out by now is said on standard error.
    func reshard(_ rule: FaultRule, now: Moment) {
        guard let resharding = rule.resharding else { return }
        do throws(APIError) { try resharding.carryOut(on: &store, now: now) } catch {
            let line = Array("kinesis-local: reshard of \(resharding.stream): \(error.message)\n".utf8)
            _ = write(2, line, line.count)
        }
    }

    func refusal(_ error: APIError) -> Reply {
        statistics.refusedRequests[error.code, default: 0] += 1
        return Reply(status: error.status, body: error.body)
    }

    /// The stream that a request names, by name or by ARN.
    func streamName(_ name: String, arn: String) throws(APIError) -> String {
        if arn.isEmpty {
            guard !name.isEmpty else {
                throw .invalidArgument("Either StreamName or StreamARN must be given.")
            }
            guard KinesisLimits.isStreamName(name) else {
                throw .validation(
                    "streamName",
                    value: name,
                    "satisfy regular expression pattern: [a-zA-Z0-9_.-]+, and have length less than or equal to 128"
                )
            }
            return name
        }
        guard let named = Account.stream(arn: arn), name.isEmpty || name == named else {
            throw .invalidArgument("StreamARN \(arn) is not the ARN of a stream, or of another one than StreamName.")
        }
        return named
    }

    /// A reply that a fault of the request spoils, whether or not it was carried out. `reply` is `nil` where it was not.
    func spoil(_ reply: Reply?, _ fault: FaultPlan.RequestFault) -> Reply {
        var result = reply ?? Reply(body: [])
        result.delayMS = fault.delayMS
        guard let rule = fault.rule else { return result }
        result.headers = rule.headers ?? [:]
        statistics.spoiledAnswers[rule.action.rawValue, default: 0] += 1
        result.retryAfterMS = rule.retryAfterMS
        if !rule.leavesAnswer { result.tells = nil }
        switch rule.action {
        case .error:
            let code = rule.code ?? "InternalFailure"
            let error = APIError(code, rule.message ?? "Injected fault.", status: rule.errorStatus)
            statistics.refusedRequests[code, default: 0] += 1
            result.status = error.status
            result.body = error.body
        case .status:
            result.isOfService = false
            result.status = rule.status ?? 503
            result.contentType = "text/html"
            result.body = Array((rule.body ?? "").utf8)
        case .garbage:
            result.status = rule.status ?? 200
            result.body = Array((rule.body ?? "<html>\u{0}not what you asked for").utf8)
        case .reset: result.ending = .reset
        case .hang: result.ending = .hang
        case .truncate:
            result.ending = .truncate
            if reply == nil { result.body = Array("{\"FailedRecordCount\":0,\"Records\":[{\"Sequence".utf8) }
        case .close: result.ending = .close
        case .wrongCount, .contradict, .delay: break
        case .failRecord, .limit, .resetUnread, .refuse, .clock, .slowRead, .outage, .reshard:
            preconditionFailure("\(rule.action) is no fault of a request")
        }
        return result
    }
}

extension KinesisService {
    /// A request id in the form of a UUID, different for each answer.
    func nextRequestID() -> String {
        requestIDs += 1
        let digits = String(requestIDs, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
