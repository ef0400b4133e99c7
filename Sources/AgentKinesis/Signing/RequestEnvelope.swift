// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What requests to one endpoint with the same credentials have in common: where they go, and their headers.
///
/// Confined to its sender.
final class RequestEnvelope {
    let url: String
    let region: String
    let credentials: Credentials
    let clock: ClockOffset

    private let endpoint: EndpointURL
    private var signer: RequestSigner
    private var timestamp: (second: Int64, text: String)?

    /// For what others write of such a request.
    private(set) lazy var redaction = Redaction(secrets: [credentials.secretAccessKey, credentials.sessionToken])

    private static let service = "kinesis"
    private static let contentType = "application/x-amz-json-1.1"

    init(url: String, region: String, credentials: Credentials, clock: ClockOffset) {
        self.url = url
        self.region = region
        self.credentials = credentials
        self.clock = clock
        endpoint = EndpointURL(url)
        signer = RequestSigner(region: region, service: Self.service, credentials: credentials)
    }

    /// The headers of a request with that body. No consent is asked for before a body is sent: proxies refuse to pass
    /// `Expect: 100-continue` on, and without it a large body is on its way a round trip earlier.
    func headers(
        of operation: OutgoingRequest.Operation,
        signing body: UnsafeRawBufferPointer,
        at time: WallTime
    ) -> HeaderList {
        let timestamp = text(of: time)
        // In the order of their names, as a signature lists them.
        var headers = [
            ("content-type", Self.contentType), ("host", endpoint.host), ("x-amz-date", timestamp),
            ("x-amz-target", operation.target),
        ]
        if !credentials.sessionToken.isEmpty {
            headers.insert(("x-amz-security-token", credentials.sessionToken), at: 3)
        }
        let authorization = signer.authorization(
            path: endpoint.path,
            headers: headers,
            body: body,
            timestamp: timestamp
        )
        headers.append(("authorization", authorization))
        return HeaderList(headers, without: ["Expect"])
    }

    private func text(of time: WallTime) -> String {
        let second = time.milliseconds / 1000
        if let timestamp, timestamp.second == second { return timestamp.text }
        let text = time.basicISO8601
        timestamp = (second, text)
        return text
    }
}

extension OutgoingRequest.Operation {
    fileprivate var target: String {
        switch self {
        case .putRecords: "Kinesis_20131202.PutRecords"
        case .putRecord: "Kinesis_20131202.PutRecord"
        }
    }
}

/// What a signature needs of an endpoint's URL.
struct EndpointURL {
    let host: String
    let path: String

    init(_ url: String) {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        host = String(rest[..<end])
        path = end == rest.endIndex ? "/" : String(rest[end...])
    }
}
