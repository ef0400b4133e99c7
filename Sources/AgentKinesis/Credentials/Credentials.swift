// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// What a request is signed with. Printing it shows no secret.
public struct Credentials: Equatable, Sendable {
    public let accessKeyID: String
    let secretAccessKey: String
    /// Empty: none.
    let sessionToken: String
    /// In the service's time; `nil`: not known.
    public let expiration: WallTime?
    /// Where they are from, for operators, such as `environment variables`.
    public let source: String
    /// Whether they can stand in a header: printable ASCII, not empty.
    let areWellFormed: Bool

    public init(
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String = "",
        expiration: WallTime? = nil,
        source: String
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
        self.source = source
        areWellFormed =
            !accessKeyID.isEmpty && !secretAccessKey.isEmpty
            && [accessKeyID, secretAccessKey, sessionToken].allSatisfy(Self.isPrintable)
    }

    private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21..<0x7f).contains($0) } }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "credentials \(accessKeyID) from \(source)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID, "source": source]) }
}

/// Why there are no credentials.
public enum CredentialError: Error, Hashable, Sendable {
    /// No place has any; `lookedAt` has a phrase for each place.
    case notFound(lookedAt: [String])
    /// A place has a part of what is needed, or something that cannot be a key.
    case unusable(source: String, fault: String)
    /// The profile that was asked for by name is in no file.
    case noSuchProfile(name: String, files: [String])
    /// The place is known, but this version cannot get credentials there.
    case notAvailableYet(source: String, feature: String)
    case unreadable(file: String, fault: String)
    /// Who should give them does not.
    case refused(source: String, fault: String)
    /// Nobody was asked yet.
    case pending
}

extension CredentialError: CustomStringConvertible {
    /// A fixed word for each case.
    public var code: String {
        switch self {
        case .notFound: "no_credentials"
        case .unusable: "credentials_unusable"
        case .noSuchProfile: "no_such_profile"
        case .notAvailableYet: "credentials_not_available_yet"
        case .unreadable: "credentials_unreadable"
        case .refused: "credentials_refused"
        case .pending: "credentials_pending"
        }
    }

    public var description: String {
        switch self {
        case .notFound(let lookedAt):
            "No AWS credentials. Looked at: \(lookedAt.joined(separator: "; "))."
        case .unusable(let source, let fault):
            "The AWS credentials in \(source) cannot be used: \(fault)."
        case .noSuchProfile(let name, let files):
            "The AWS profile '\(name)' is not in \(files.joined(separator: " or "))."
        case .notAvailableYet(let source, let feature):
            "\(source) asks for \(feature), which is not available yet."
        case .unreadable(let file, let fault):
            "\(file) cannot be read: \(fault)."
        case .refused(let source, let fault):
            "\(source) gives no AWS credentials: \(fault)."
        case .pending:
            "The AWS credentials are being got."
        }
    }

    /// Whether it says nothing of credentials that were got before: who gives them cannot just now.
    var isPassing: Bool {
        if case .refused = self { true } else { false }
    }

    /// What to do about it; what is changed in the files is seen within seconds.
    var remedy: String {
        switch self {
        case .notFound:
            "Give the agent credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile file. Events are kept."
        case .unusable: "Correct these credentials. Events are kept until they work."
        case .noSuchProfile:
            "Add the profile with its credentials, or name another one (aws.profile, AWS_PROFILE). Events are kept."
        case .notAvailableYet: "Give the agent credentials with an access key instead. Events are kept."
        case .unreadable(let file, _): "Make \(file) a text file that the agent's user may read. Events are kept."
        case .refused: "See that it answers, and what it needs. The agent goes on asking; events are kept."
        case .pending: "None needed. Events are kept until then."
        }
    }

    /// The request that cannot be made for want of them.
    public var failure: SendFailure {
        SendFailure(kind: .noCredentials, code: code, message: description, advice: remedy)
    }
}
