// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Synchronization

/// A profile of the shared credentials and config files. The files are looked at every other second at most, and read
/// again when one of them changed: so keys can be renewed without a restart.
final class ProfileCredentials: CredentialSource {
    private let name: String
    private let isNamed: Bool
    private let credentialsFile: String
    private let configFile: String
    private let monotonic: @Sendable () -> Instant
    private let state = Mutex(State())

    private struct State {
        var lookedAt: Instant?
        var stamps: [FileStamp?] = []
        var found: Result<Credentials?, CredentialError> = .success(nil)
    }

    private static let interval: Duration = .seconds(2)

    /// - Parameter profile: `nil`: `default`, which need not exist.
    init(
        profile: String?,
        credentialsFile: String,
        configFile: String,
        monotonic: @escaping @Sendable () -> Instant = { .sinceBoot() }
    ) {
        name = profile ?? "default"
        isNamed = profile != nil
        self.credentialsFile = credentialsFile
        self.configFile = configFile
        self.monotonic = monotonic
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        try state.withLock { state in refresh(&state).found }.get()
    }

    /// The next call reads the files, changed or not.
    func invalidate(_ refused: Credentials) {
        state.withLock { state in
            if case .success(refused) = state.found { state = State() }
        }
    }

    var lookedAt: String { "profile '\(name)' in \(credentialsFile) and \(configFile) (it has no keys)" }

    private func refresh(_ state: inout State) -> State {
        let time = monotonic()
        if let lookedAt = state.lookedAt, time - lookedAt < Self.interval { return state }
        let stamps = [FileStamp.of(credentialsFile), FileStamp.of(configFile)]
        // What could not be read is tried again: permissions are not in a stamp.
        let isSame = if case .success = state.found { state.lookedAt != nil && stamps == state.stamps } else { false }
        if !isSame { state.found = Result { () throws(CredentialError) in try read() } }
        state.stamps = stamps
        state.lookedAt = time
        return state
    }

    private func read() throws(CredentialError) -> Credentials? {
        let keys = ProfileFile(try TextFile.read(credentialsFile) ?? "").sections[name]
        let configs = ProfileFile(try TextFile.read(configFile) ?? "").sections
        let config = configs["profile \(name)"] ?? (name == "default" ? configs[name] : nil)
        if keys == nil, config == nil {
            if isNamed { throw .noSuchProfile(name: name, files: [credentialsFile, configFile]) }
            return nil
        }
        return try ProfileResolution(name: name, credentials: keys ?? [:], config: config ?? [:]).credentials(
            credentialsFile: credentialsFile,
            configFile: configFile
        )
    }
}

/// What a profile's two sections come to.
struct ProfileResolution {
    let name: String
    /// Of the credentials file and of the config file.
    let credentials: [String: String]
    let config: [String: String]

    /// The order within a profile: roles, keys of the credentials file, a process, keys of the config file.
    func credentials(credentialsFile: String, configFile: String) throws(CredentialError) -> Credentials? {
        try refuse([
            ("web_identity_token_file", "a web identity"),
            ("role_arn", "an assumed role (role_arn)"),
            ("sso_session", "IAM Identity Center (sso_session)"),
            ("sso_start_url", "IAM Identity Center (sso_start_url)"),
        ])
        if let found = try keys(of: credentials, in: credentialsFile) { return found }
        try refuse([
            ("login_session", "a login session (login_session)"),
            ("credential_process", "a credential process (credential_process)"),
        ])
        return try keys(of: config, in: configFile)
    }

    private func refuse(_ settings: [(key: String, feature: String)]) throws(CredentialError) {
        for (key, feature) in settings where credentials[key] != nil || config[key] != nil {
            throw .notAvailableYet(source: "The AWS profile '\(name)'", feature: feature)
        }
    }

    private func keys(of section: [String: String], in file: String) throws(CredentialError) -> Credentials? {
        guard let id = section["aws_access_key_id"] else { return nil }
        let source = "profile '\(name)' of \(file)"
        guard let secret = section["aws_secret_access_key"] else {
            throw .unusable(source: source, fault: "aws_secret_access_key is missing")
        }
        return Credentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: section["aws_session_token"] ?? "",
            source: source
        )
    }
}
