// SPDX-License-Identifier: Apache-2.0

/// Something that stands between events and Kinesis, in words for an operator.
public struct Fault: Hashable, Sendable {
    /// Kinesis's own name for it where there is one, else a fixed word of ours.
    public let code: String
    public let message: String
    public let disposition: Disposition
    /// When it was last seen.
    public let at: Instant

    public init(code: String, message: String, disposition: Disposition, at: Instant) {
        self.code = code
        self.message = message
        self.disposition = disposition
        self.at = at
    }

    init(_ failure: SendFailure, disposition: Disposition, at: Instant) {
        let code =
            switch failure.kind {
            case .noCredentials: "no_credentials"
            case .connect: "unreachable"
            case .transport: "no_answer"
            case .unintelligible: "unintelligible_answer"
            case .response: failure.code.isEmpty ? "http_\(failure.status)" : failure.code
            }
        self.init(code: code, message: failure.message, disposition: disposition, at: at)
    }

    func seen(at now: Instant) -> Fault { Fault(code: code, message: message, disposition: disposition, at: now) }

    /// What an operator can do about it.
    public var remedy: String {
        switch code {
        case "ResourceNotFoundException":
            return "Create the stream, or correct its name or region in the configuration. Its events are kept."
        case "AccessDeniedException":
            return "Allow kinesis:PutRecords on the stream for the agent's identity. Its events are kept."
        case "KMSThrottlingException":
            return "None needed if it passes. If it lasts: raise the request quota of the stream's KMS key."
        case "no_credentials":
            return "Give the agent credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile file."
        default: break
        }
        if code.hasPrefix("KMS") {
            return "Check the state and the policy of the stream's KMS key. Its events are kept."
        }
        return switch disposition {
        case .throttledKey, .throttledDestination:
            "None needed if it passes. If it lasts: add shards, or spread the load over more partition keys."
        case .transient: "None needed: the agent tries again."
        case .endpoint: "Check the network path to the endpoint. The agent goes on trying; events are kept."
        case .identity: "Renew or correct the agent's credentials. Events are kept until they work."
        case .clock: "Set this machine's clock (NTP). Events are kept."
        case .destination: "Check the stream and the agent's permissions on it. Its events are kept."
        case .record: "Look at the event with 'agentctl dead-letters' or 'agentctl peek', and at the stream's limits."
        }
    }
}
