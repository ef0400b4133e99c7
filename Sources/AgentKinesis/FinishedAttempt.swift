// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import CCurl

/// A request that is over: what its ending and its answer say, in words without secrets and payloads.
struct FinishedAttempt {
    let request: OutgoingRequest
    let body: UnsafeRawBufferPointer
    let envelope: RequestEnvelope
    let signedAt: WallTime
    let exchange: HTTPExchange
    let ending: HTTPExchange.Ending

    /// - Parameter clocks: Learn the time of the answer.
    func outcome(clocks: EndpointClocks) -> SendOutcome {
        learnClock()
        guard case .answered = ending, (200..<300).contains(exchange.status) else {
            return refusal(failure(clocks))
        }
        do throws(MalformedAnswer) {
            return .answered(try outcomes())
        } catch {
            let message = "the answer of \(envelope.url) cannot be understood: \(error.what) (at byte \(error.offset))"
            return .failed(SendFailure(kind: .unintelligible, status: exchange.status, message: message))
        }
    }

    private func outcomes() throws(MalformedAnswer) -> [RecordOutcome] {
        switch request.operation {
        case .putRecords(let records):
            try PutRecordsAnswer.outcomes(
                of: exchange.body,
                records: records.count,
                clean: { clean($0, of: records[$1]) }
            )
        case .putRecord(let record, _):
            [
                try PutRecordsAnswer.outcome(
                    ofPutRecord: exchange.body,
                    clean: { message, _ in clean(message, of: record) }
                )
            ]
        }
    }

    /// PutRecord fails as a whole by what PutRecords says of an entry: its shard has no room for the record.
    private func refusal(_ failure: SendFailure) -> SendOutcome {
        guard case .putRecord = request.operation, failure.kind == .response,
            failure.code == "ProvisionedThroughputExceededException"
        else { return .failed(failure) }
        return .answered([.refused(code: failure.code, message: failure.message)])
    }

    private func failure(_ clocks: EndpointClocks) -> SendFailure {
        switch ending {
        case .answered:
            return errorAnswer(clocks)
        case .failed(let fault):
            return SendFailure(
                kind: fault.mayBeSent ? .transport : .connect,
                code: fault.code,
                message: envelope.redaction.clean("\(envelope.url): \(fault.reason)"),
                isTimeout: fault.isTimeout
            )
        case .unusable(let reason):
            return SendFailure(kind: .connect, code: "endpoint_url", message: "\(envelope.url): \(reason)")
        case .cancelled:
            return .cancelled
        case .answerTooLong:
            let message = "\(envelope.url) answered more than \(HTTPExchange.largestAnswer >> 20) MiB"
            let kind: SendFailure.Kind = exchange.status == 200 ? .unintelligible : .foreign
            return SendFailure(kind: kind, status: exchange.status, message: message)
        }
    }

    // MARK: Errors

    private func errorAnswer(_ clocks: EndpointClocks) -> SendFailure {
        let status = exchange.status
        let answer = ErrorAnswer(
            status: status,
            errorType: exchange.header("x-amzn-errortype"),
            contentType: exchange.header("content-type"),
            body: exchange.body
        )
        let message = cleanAll(answer.message)
        guard !answer.code.isEmpty || isOfKinesis else {
            return SendFailure(
                kind: .foreign,
                status: status,
                message: "Something else than Kinesis answered for \(envelope.url)\(whoAnswered): \(message)",
                retryAfter: exchange.retryAfter
            )
        }
        let failure = SendFailure(
            kind: .response,
            status: status,
            code: answer.code,
            message: message,
            retryAfter: exchange.retryAfter
        )
        switch Disposition(failure) {
        case .identity, .clock: return aboutTheClock(failure, clocks)
        case .throttledKey, .throttledDestination, .transient, .endpoint, .destination, .record: return failure
        }
    }

    /// A signature of another time is refused, mostly under the name of a wrong one. The next request is signed with the
    /// time that this answer brought.
    private func aboutTheClock(_ failure: SendFailure, _ clocks: EndpointClocks) -> SendFailure {
        let advice = clocks.advice(on: envelope.url) ?? ""
        let now = envelope.clock.correctedTime() ?? .now()
        let isLearnt = abs(now.milliseconds - signedAt.milliseconds) >= ClockOffset.smallestCorrected.wholeMilliseconds
        if isLearnt, isOfKinesis {
            return SendFailure(
                kind: .response,
                status: failure.status,
                code: "clock_learnt",
                message: "\(failure.code): \(failure.message)",
                advice:
                    "None needed: the agent signs with the endpoint's time from now on. To mend the cause: \(advice)"
            )
        }
        guard Disposition(failure) == .clock else { return failure }
        return SendFailure(
            kind: .response,
            status: failure.status,
            code: failure.code,
            message: failure.message,
            advice: advice,
            retryAfter: failure.retryAfter
        )
    }

    /// Only an answer with a request id is surely the service's own.
    private var isOfKinesis: Bool { exchange.header("x-amzn-requestid") != nil }

    private var whoAnswered: String {
        guard let name = exchange.header("via") ?? exchange.header("server") else { return "" }
        return " (\(envelope.redaction.clean(String(name.prefix(80)))))"
    }

    /// A proxy's or a portal's date says nothing of Kinesis.
    private func learnClock() {
        guard exchange.status != 0, isOfKinesis, let date = exchange.header("date") else { return }
        let seconds = curl_getdate(date, nil)
        if seconds > 0 { envelope.clock.learn(WallTime(seconds: Int64(seconds))) }
    }

    // MARK: What may be shown

    private func cleanAll(_ message: String) -> String {
        envelope.redaction.clean(message) { visit in
            // Without its beginning, which is the stream's name.
            visit(UnsafeRawBufferPointer(rebasing: body.dropFirst(16 + request.destination.stream.utf8.count)))
            for record in request.records { record.data.withUnsafeBytes(visit) }
        }
    }

    private func clean(_ message: String, of record: OutgoingRecord) -> String {
        // Comes by the thousand, and has a shard's name in it and no data.
        if message.hasPrefix("Rate exceeded for shard ") { return envelope.redaction.clean(message) }
        return envelope.redaction.clean(message) { visit in
            record.data.withUnsafeBytes { data in
                visit(data)
                let start = UnsafeRawBufferPointer(rebasing: data.prefix(3 << 10))
                withUnsafeTemporaryAllocation(byteCount: Base64.encodedCount(start.count), alignment: 8) { text in
                    guard let target = text.baseAddress else { return }
                    visit(UnsafeRawBufferPointer(start: target, count: Base64.encode(start, to: target)))
                }
            }
        }
    }
}

extension SendFailure {
    static let cancelled = SendFailure(kind: .transport, code: "cancelled", message: "the request was cancelled")
}

extension HTTPExchange {
    /// `x-amz-retry-after` in milliseconds, or a proxy's `retry-after` in seconds; an hour at most.
    fileprivate var retryAfter: Duration? {
        if let text = header("x-amz-retry-after"), let milliseconds = UInt32(text) {
            return min(.milliseconds(milliseconds), .seconds(3600))
        }
        if let text = header("retry-after"), let seconds = UInt32(text) {
            return min(.seconds(seconds), .seconds(3600))
        }
        return nil
    }
}
