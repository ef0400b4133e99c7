// SPDX-License-Identifier: Apache-2.0

/// The credentials of one account. Any thread.
public protocol CredentialProvider: Sendable {
    /// Asked before each request, so the answer is kept and renewed ahead of its end.
    /// - Parameter now: The service's time, as near as it is known.
    func credentials(now: WallTime) throws(CredentialError) -> Credentials

    /// The service refused these: where they are still the kept ones, the next call gets them anew.
    func invalidate(_ refused: Credentials)
}

/// One place that may have credentials, such as the environment. Any thread.
public protocol CredentialSource: Sendable {
    /// - Returns: `nil` where the place has none, and the next one is to be asked.
    /// - Throws: Where it should have some, but they cannot be had; then no other place is asked, because
    ///   records would be sent as somebody else.
    func credentials(now: WallTime) throws(CredentialError) -> Credentials?

    func invalidate(_ refused: Credentials)

    /// What was looked at and not found, for operators.
    var lookedAt: String { get }
}

/// Places in order; the first one that has credentials gives them.
public struct CredentialChain: CredentialProvider {
    private let sources: [any CredentialSource]

    public init(_ sources: [any CredentialSource]) { self.sources = sources }

    public func credentials(now: WallTime) throws(CredentialError) -> Credentials {
        for source in sources {
            guard let found = try source.credentials(now: now) else { continue }
            guard found.areWellFormed else {
                throw .unusable(source: found.source, fault: "a key is empty or has characters that no key has")
            }
            if let expiration = found.expiration, expiration <= now { throw .expired(source: found.source) }
            return found
        }
        throw .notFound(lookedAt: sources.map(\.lookedAt))
    }

    public func invalidate(_ refused: Credentials) {
        for source in sources { source.invalidate(refused) }
    }
}

extension CredentialChain {
    /// The order of the AWS SDKs: environment variables, then a profile of the shared files. A profile that is named,
    /// here or in AWS_PROFILE, turns the environment's keys off.
    /// - Parameter profile: The configured profile; `nil`: AWS_PROFILE, else AWS_DEFAULT_PROFILE, else `default`.
    public static func standard(profile: String? = nil, environment: Environment = .process) -> CredentialChain {
        let named = profile ?? environment["AWS_PROFILE"] ?? environment["AWS_DEFAULT_PROFILE"]
        let profiles = ProfileCredentials(
            profile: named,
            credentialsFile: environment["AWS_SHARED_CREDENTIALS_FILE"] ?? environment.inHome(".aws/credentials"),
            configFile: environment["AWS_CONFIG_FILE"] ?? environment.inHome(".aws/config")
        )
        let unavailable = UnavailableCredentials(environment: environment)
        if named != nil { return CredentialChain([profiles, unavailable]) }
        return CredentialChain([EnvironmentCredentials(environment), profiles, unavailable])
    }
}
