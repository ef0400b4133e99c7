// SPDX-License-Identifier: Apache-2.0

/// Something that stands between events and Kinesis, in words for an operator.
public struct Fault: Hashable, Sendable {
    /// Kinesis's own name for it where there is one, else a fixed word of ours.
    public let code: String
    public let message: String
    public let disposition: Disposition
    /// When it was last seen.
    public let at: Instant
    /// What is to be done, where whoever saw the fault knew better than its code tells; else empty.
    private let advice: String

    public init(code: String, message: String, disposition: Disposition, at: Instant, advice: String = "") {
        self.code = code
        self.message = message
        self.disposition = disposition
        self.at = at
        self.advice = advice
    }

    public init(_ failure: SendFailure, disposition: Disposition, at: Instant) {
        self.init(
            code: failure.faultCode,
            message: failure.message,
            disposition: disposition,
            at: at,
            advice: failure.advice
        )
    }

    func seen(at now: Instant) -> Fault {
        Fault(code: code, message: message, disposition: disposition, at: now, advice: advice)
    }

    /// What an operator can do about it.
    public var remedy: String { advice.isEmpty ? Remedy.of(code: code, disposition: disposition) : advice }
}

extension SendFailure {
    /// A name for it that is never empty.
    fileprivate var faultCode: String {
        switch kind {
        case .noCredentials: "no_credentials"
        case .unintelligible: "unintelligible_answer"
        case .connect: code.isEmpty ? "unreachable" : code
        case .transport: code.isEmpty ? "no_answer" : code
        case .response, .foreign: code.isEmpty ? "http_\(status)" : code
        }
    }
}
