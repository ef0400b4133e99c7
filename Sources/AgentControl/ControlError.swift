// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What agentd answers when it does not do what it was asked.
public struct ControlError: Error, Sendable, Equatable, Codable, CustomStringConvertible {
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// The request cannot be understood.
        case badRequest = "bad_request"
        /// The request is larger than the protocol allows.
        case tooLarge = "too_large"
        /// Neither configured nor in the queue.
        case noSuchStream = "no_such_stream"
        /// No event or dead letter with that id.
        case notFound = "not_found"
        /// An event was refused; nothing of the request was kept.
        case refused
        /// Not now: stopping, or others ask for too much at once.
        case unavailable
        case failed
    }

    public let code: Code
    /// A sentence for the operator: what happened, and what to do. Whatever it quotes is safe to be shown.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = SafeText.line(message)
    }

    /// A code of a newer agentd reads as ``Code/failed``.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        code = Code(rawValue: try container.decode(String.self, forKey: .code)) ?? .failed
        message = SafeText.line(try container.decode(String.self, forKey: .message))
    }

    public var description: String { message }
}
