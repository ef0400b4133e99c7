// SPDX-License-Identifier: Apache-2.0

// Records on their way to Kinesis.
//
// A request is PutRecords in the JSON 1.1 protocol: POST /, the operation in X-Amz-Target, base64 data, AWS Signature
// Version 4 over headers and body. What can become of it, in the order in which it can:
//
//   no credentials            nothing is sent, and the failure says what was looked at
//   no connection             nothing was sent
//   cut off, or no answer     the records may be stored
//   an error status           the error's name and text, from header and body
//   200                       an outcome for each record, if there is exactly one entry for each; else they may be
//                             stored
//
// A call makes one attempt. Trying again, and what a failure means for records and destinations, is decided elsewhere.
// So are there no hidden attempts here: libcurl's own repetition on a closed connection is stopped.

public import AgentCore
internal import CCurl

/// Makes requests to Kinesis, one at a time, on one kept connection.
///
/// A sender is confined to its worker's serial queue: it may be made anywhere and handed over, but is not Sendable.
/// Only its ``cancellation`` is for other threads.
public final class KinesisSender: RecordSender {
    public let cancellation = SendCancellation()

    private let settings: KinesisSettings
    private let providers: @Sendable (_ account: String) -> any CredentialProvider
    private let clock: ClockOffset
    private var exchange: HTTPExchange?
    private var body = PutRecordsBody()
    /// What the handle's options and headers were last set for; `nil` where they hold for one request only.
    private var prepared: Target?

    private struct Target: Equatable {
        let url: String
        let region: String
        let credentials: Credentials
    }

    /// - Parameters:
    ///   - providers: The credentials of an account, by ``Destination/account``. Called for each request.
    ///   - clock: Shared by all senders.
    public init(
        settings: KinesisSettings,
        clock: ClockOffset,
        providers: @escaping @Sendable (_ account: String) -> any CredentialProvider
    ) {
        self.settings = settings
        self.clock = clock
        self.providers = providers
    }

    /// Blocks for up to ``KinesisSettings/requestTimeout``.
    public func send(_ request: OutgoingRequest) -> SendOutcome {
        let provider = providers(request.destination.account)
        let credentials: Credentials
        do throws(CredentialError) {
            credentials = try provider.credentials(now: clock.correctedTime() ?? .now())
        } catch {
            return .failed(SendFailure(kind: .noCredentials, code: error.code, message: error.description))
        }
        if cancellation.isCancelled { return .failed(Self.cancelled) }
        guard let exchange = exchange ?? HTTPExchange(settings, cancellation: cancellation) else {
            return .failed(SendFailure(kind: .connect, message: "libcurl could not be started: out of memory"))
        }
        self.exchange = exchange

        let target = Target(
            url: settings.endpoint(request.destination),
            region: request.destination.region,
            credentials: credentials
        )
        body.write(request)
        prepare(exchange, for: target)
        let ending = exchange.perform(body.bytes)
        body.releaseExcess()
        learnClock(from: exchange)

        if case .answered = ending, exchange.status == 200 {
            return outcomes(exchange, records: request.records.count)
        }
        let failure = failure(exchange, ending, target)
        if Disposition(failure) == .identity { provider.invalidate(credentials) }
        if case .unusable = ending {
            self.exchange = nil
            prepared = nil
        }
        return .failed(failure)
    }
}

@available(*, unavailable)
extension KinesisSender: Sendable {}

// Before the request.
extension KinesisSender {
    private static let service = "kinesis"
    private static let contentType = "application/x-amz-json-1.1"
    private static let operation = "Kinesis_20131202.PutRecords"

    private func prepare(_ exchange: HTTPExchange, for target: Target) {
        if let time = clock.correctedTime() {
            exchange.set(CURLOPT_URL, target.url)
            exchange.setHeaders(HeaderList(signedHeaders(target, time)))
            prepared = nil
        } else if prepared != target {
            exchange.set(CURLOPT_URL, target.url)
            exchange.set(CURLOPT_AWS_SIGV4, "aws:amz:\(target.region):\(Self.service)")
            exchange.set(CURLOPT_USERNAME, target.credentials.accessKeyID)
            exchange.set(CURLOPT_PASSWORD, target.credentials.secretAccessKey)
            exchange.setHeaders(HeaderList(Self.headers(target)))
            prepared = target
        }
    }

    /// In the order of their names, as a signature lists them.
    private static func headers(_ target: Target) -> [(name: String, value: String)] {
        var headers = [("content-type", contentType)]
        if !target.credentials.sessionToken.isEmpty {
            headers.append(("x-amz-security-token", target.credentials.sessionToken))
        }
        headers.append(("x-amz-target", operation))
        return headers
    }

    /// All headers of a request signed for another time than the machine's. With Authorization among them, libcurl
    /// does not sign.
    private func signedHeaders(_ target: Target, _ time: WallTime) -> [(name: String, value: String)] {
        let endpoint = EndpointURL(target.url)
        var headers = Self.headers(target)
        headers.insert(("host", endpoint.host), at: 1)
        headers.insert(("x-amz-date", time.basicISO8601), at: 2)
        let signer = RequestSigner(region: target.region, service: Self.service, credentials: target.credentials)
        let authorization = signer.authorization(path: endpoint.path, headers: headers, body: body.bytes, time: time)
        return headers + [("authorization", authorization)]
    }
}

// After it.
extension KinesisSender {
    private func outcomes(_ exchange: HTTPExchange, records: Int) -> SendOutcome {
        do throws(MalformedAnswer) {
            return .answered(try PutRecordsAnswer.outcomes(of: exchange.body, records: records))
        } catch {
            let message = "the answer cannot be understood: \(error.what) (at byte \(error.offset))"
            return .failed(SendFailure(kind: .unintelligible, status: 200, message: message))
        }
    }

    private static let cancelled = SendFailure(kind: .transport, message: "the request was cancelled")

    private func failure(_ exchange: HTTPExchange, _ ending: HTTPExchange.Ending, _ target: Target) -> SendFailure {
        switch ending {
        case .answered:
            return errorAnswer(exchange)
        case .failed(let mayBeSent, let reason):
            return SendFailure(kind: mayBeSent ? .transport : .connect, message: "\(target.url): \(reason)")
        case .unusable(let reason):
            return SendFailure(kind: .connect, message: "\(target.url): \(reason)")
        case .cancelled:
            return Self.cancelled
        case .answerTooLong:
            let message = "\(target.url) answered more than \(HTTPExchange.largestAnswer >> 20) MiB"
            let kind: SendFailure.Kind = exchange.status == 200 ? .unintelligible : .response
            return SendFailure(kind: kind, status: exchange.status, message: message)
        }
    }

    private func errorAnswer(_ exchange: HTTPExchange) -> SendFailure {
        let answer = ErrorAnswer(
            status: exchange.status,
            errorType: exchange.header("x-amzn-errortype"),
            contentType: exchange.header("content-type"),
            body: exchange.body
        )
        return SendFailure(
            kind: .response,
            status: exchange.status,
            code: answer.code,
            message: answer.message,
            retryAfter: exchange.retryAfter
        )
    }

    /// Only an answer with a request id is the service's own: a proxy's or a portal's date says nothing of Kinesis.
    private func learnClock(from exchange: HTTPExchange) {
        guard exchange.status != 0, exchange.header("x-amzn-requestid") != nil, let date = exchange.header("date")
        else { return }
        let seconds = curl_getdate(date, nil)
        if seconds > 0 { clock.learn(WallTime(seconds: Int64(seconds))) }
    }
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

/// What a signature needs of an endpoint's URL.
private struct EndpointURL {
    let host: String
    let path: String

    init(_ url: String) {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        host = String(rest[..<end])
        path = end == rest.endIndex ? "/" : String(rest[end...])
    }
}
