// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Synchronization

@testable import AgentKinesis

/// Credentials that never change, and how often they were refused.
final class FixedProvider: CredentialProvider {
    static let credentials = Credentials(
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        sessionToken: "TOKEN",
        source: "a test"
    )

    private let given: Result<Credentials, CredentialError>
    private let refusals = Mutex(0)

    init(_ given: Result<Credentials, CredentialError> = .success(FixedProvider.credentials)) { self.given = given }

    var invalidations: Int { refusals.withLock { $0 } }

    func credentials() throws(CredentialError) -> Credentials { try given.get() }
    func invalidate(_ refused: Credentials) { refusals.withLock { $0 += 1 } }
}

/// A sender whose endpoint is a server of the test.
func sender(
    to url: String,
    provider: any CredentialProvider = FixedProvider(),
    clocks: EndpointClocks = EndpointClocks(),
    stallTimeout: Duration = .seconds(10),
    requestTimeout: Duration = .seconds(10)
) -> KinesisSender {
    let settings = KinesisSettings(
        endpoint: url,
        connectTimeout: .seconds(2),
        stallTimeout: stallTimeout,
        requestTimeout: requestTimeout
    )
    return KinesisSender(settings: settings, clocks: clocks) { _ in provider }
}

func request(_ records: [OutgoingRecord], region: String = "us-east-1") -> OutgoingRequest {
    OutgoingRequest(destination: Destination(region: region, stream: "clicks"), records: records)
}

func record(_ data: String, key: String = "k", hashKey: String = "") -> OutgoingRecord {
    OutgoingRecord(partitionKey: key, explicitHashKey: hashKey, data: Payload(data))
}

/// The answer that Kinesis gives for `count` stored records.
func accepted(_ count: Int) -> String {
    let entries = (0..<count).map { "{\"SequenceNumber\":\"4957\($0)\",\"ShardId\":\"shardId-000000000000\"}" }
    return "{\"FailedRecordCount\":0,\"Records\":[\(entries.joined(separator: ","))]}"
}

extension SendOutcome {
    var failure: SendFailure? {
        if case .failed(let failure) = self { failure } else { nil }
    }

    /// A line for each record: its sequence number and shard, or its error.
    var lines: [String]? {
        guard case .answered(let outcomes) = self else { return nil }
        return outcomes.map(\.line)
    }
}

extension RecordOutcome {
    var line: String {
        switch self {
        case .accepted(let sequenceNumber, let shard): "\(sequenceNumber.text ?? "?") \(shard.text ?? "?")"
        case .refused(let code, let message): "\(code): \(message)"
        }
    }
}
