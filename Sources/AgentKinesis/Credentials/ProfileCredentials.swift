// SPDX-License-Identifier: Apache-2.0

/// A profile of the shared credentials and config files.
struct ProfileCredentials: CredentialSource {
    private let name: String
    private let isNamed: Bool
    /// `nil`: it would be in a home that the agent does not have.
    private let credentialsFile: String?
    private let configFile: String?
    private let methods: [any ProfileMethod]
    private let services: CredentialServices

    /// - Parameters:
    ///   - profile: `nil`: `default`, which need not exist.
    ///   - methods: The ways that are looked at, in order.
    init(profile: String?, environment: Environment, methods: [any ProfileMethod], services: CredentialServices) {
        self.methods = methods
        self.services = services
        name = profile ?? "default"
        isNamed = profile != nil
        credentialsFile = environment.file("AWS_SHARED_CREDENTIALS_FILE", or: "~/.aws/credentials")
        configFile = environment.file("AWS_CONFIG_FILE", or: "~/.aws/config")
    }

    var files: [String] { [credentialsFile, configFile].compactMap { $0 } }

    var lookedAt: String { "profile '\(name)' in \(shownFiles.joined(separator: " and ")) (it has no keys)" }

    private var shownFiles: [String] {
        [credentialsFile ?? "~/.aws/credentials (the agent has no home)", configFile ?? "~/.aws/config (likewise)"]
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        let profiles = ProfileSet(
            credentials: try Self.sections(of: credentialsFile),
            config: try Self.sections(of: configFile),
            files: shownFiles,
            services: services
        )
        guard let profile = profiles.profile(named: name) else {
            if isNamed { throw .noSuchProfile(name: name, files: shownFiles) }
            return nil
        }
        return try Self.first(of: methods, profile, now)
    }

    static func first(of methods: [any ProfileMethod], _ profile: Profile, _ now: WallTime) throws(CredentialError)
        -> Credentials?
    {
        for method in methods {
            if let found = try method.credentials(of: profile, now: now) { return found }
        }
        return nil
    }

    private static func sections(of file: String?) throws(CredentialError) -> [String: [String: String]] {
        guard let file, let text = try TextFile.read(file) else { return [:] }
        return ProfileFile(text).sections
    }
}

/// All profiles, as one profile may name another.
struct ProfileSet {
    /// The sections of the credentials file and of the config file.
    let credentials: [String: [String: String]]
    let config: [String: [String: String]]
    /// The two files, as operators are told of them.
    let files: [String]
    let services: CredentialServices

    func profile(named name: String) -> Profile? {
        let keys = credentials[name]
        let settings = config["profile \(name)"] ?? (name == "default" ? config[name] : nil)
        if keys == nil, settings == nil { return nil }
        return Profile(name: name, credentials: keys ?? [:], config: settings ?? [:], all: self)
    }
}

/// What the two files say of one profile.
struct Profile {
    let name: String
    /// Its section of the credentials file, and that of the config file.
    let credentials: [String: String]
    let config: [String: String]
    let all: ProfileSet

    /// Of the credentials file, else of the config file.
    func setting(_ name: String) -> String? { credentials[name] ?? config[name] }
}

/// One way in which a profile can give credentials.
protocol ProfileMethod: Sendable {
    /// - Returns: `nil` where the profile does not ask for this way.
    /// - Throws: Where it does, but they cannot be had; then no other way is tried.
    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials?
}

/// Keys that stand in a profile.
struct ProfileKeys: ProfileMethod {
    enum File { case credentials, config }

    private let file: File

    init(_ file: File) { self.file = file }

    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials? {
        let section = file == .credentials ? profile.credentials : profile.config
        guard let id = section["aws_access_key_id"] else { return nil }
        let source = "profile '\(profile.name)' of \(profile.all.files[file == .credentials ? 0 : 1])"
        guard let secret = section["aws_secret_access_key"] else {
            throw .unusable(source: source, fault: "aws_secret_access_key is missing")
        }
        return Credentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: section["aws_security_token"] ?? section["aws_session_token"] ?? "",
            source: source
        )
    }
}
