// SPDX-License-Identifier: Apache-2.0

// Records on their way to Kinesis.
//
// A request is PutRecords or PutRecord in the JSON 1.1 protocol: POST /, the operation in X-Amz-Target, base64 data, AWS
// Signature Version 4 over headers and body. What can become of it, in the order in which it can:
//
//   no credentials            nothing is sent, and the failure says what was looked at; they are not waited for
//   no connection             nothing was sent
//   cut off, or no answer     the records may be stored
//   an error status           the error's name and text, from header and body; without a request id and a name it is
//                             not Kinesis that answered, and says nothing of the records
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
    private let providers: @Sendable (Destination) -> any CredentialProvider
    private let clocks: EndpointClocks
    private var exchange: HTTPExchange?
    private var caFile: FileWatch
    private var body = RequestBody()
    /// Of the last request, and mostly of the next one too.
    private var envelope: RequestEnvelope?

    /// - Parameters:
    ///   - providers: Who has the credentials that requests to a destination are signed with. Called for each request.
    ///   - clocks: Shared by all senders.
    public init(
        settings: KinesisSettings,
        clocks: EndpointClocks,
        providers: @escaping @Sendable (Destination) -> any CredentialProvider
    ) {
        self.settings = settings
        self.clocks = clocks
        self.providers = providers
        caFile = FileWatch(settings.caFile)
    }

    /// Blocks for up to ``KinesisSettings/requestTimeout``.
    public func send(_ request: OutgoingRequest) -> SendOutcome {
        let (url, region) = (settings.endpoint(request.destination), request.destination.region)
        guard !url.isEmpty, Region.isWellFormed(region) else {
            let message = "There is no endpoint for the region '\(Redaction(secrets: []).clean(region))'."
            return .failed(SendFailure(kind: .connect, code: "invalid_region", message: message))
        }
        let clock = envelope.flatMap { $0.url == url ? $0.clock : nil } ?? clocks.clock(of: url)
        let time = clock.correctedTime() ?? .now()
        let provider = providers(request.destination)
        let credentials: Credentials
        do throws(CredentialError) {
            credentials = try provider.credentials()
        } catch {
            return .failed(error.failure)
        }
        if cancellation.isCancelled { return .failed(.cancelled) }
        if caFile.hasChanged(at: .sinceBoot()) { exchange = nil }
        guard let exchange = exchange ?? HTTPExchange(settings, cancellation: cancellation) else {
            return .failed(SendFailure(kind: .connect, message: "libcurl could not be started: out of memory"))
        }
        self.exchange = exchange

        let envelope = envelope(url, region, credentials, clock)
        body.write(request)
        exchange.setURL(url)
        exchange.setHeaders(envelope.headers(of: request.operation, signing: body.bytes, at: time))
        let ending = exchange.perform(body.bytes)
        let outcome = FinishedAttempt(
            request: request,
            body: body.bytes,
            envelope: envelope,
            signedAt: time,
            exchange: exchange,
            ending: ending
        ).outcome(clocks: clocks)
        body.releaseExcess()
        if case .failed(let failure) = outcome, Disposition(failure) == .identity { provider.invalidate(credentials) }
        if case .unusable = ending { self.exchange = nil }
        return outcome
    }

    private func envelope(
        _ url: String,
        _ region: String,
        _ credentials: Credentials,
        _ clock: ClockOffset
    ) -> RequestEnvelope {
        if let envelope, envelope.url == url, envelope.region == region, envelope.credentials == credentials {
            return envelope
        }
        let new = RequestEnvelope(url: url, region: region, credentials: credentials, clock: clock)
        envelope = new
        return new
    }
}

@available(*, unavailable)
extension KinesisSender: Sendable {}
