// SPDX-License-Identifier: Apache-2.0

/// A place that an environment names but this version cannot ask: it is told of rather than passed over.
struct UnavailableCredentials: CredentialSource {
    private let environment: Environment
    private let variables: [String]
    private let feature: String

    /// - Parameter variables: One of these asks for it; none: nothing shows whether it is there.
    init(_ environment: Environment, _ variables: [String] = [], feature: String) {
        self.environment = environment
        self.variables = variables
        self.feature = feature
    }

    var lookedAt: String {
        if variables.isEmpty { return "\(feature) is not available yet" }
        return "\(feature) (\(variables.joined(separator: " or ")) is not set)"
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        for variable in variables where environment[variable] != nil {
            throw .notAvailableYet(source: "The environment variable \(variable)", feature: feature)
        }
        return nil
    }
}

/// A setting of a profile that this version cannot follow.
struct UnavailableInProfiles: ProfileMethod {
    private let setting: String
    private let feature: String

    init(_ setting: String, feature: String) {
        self.setting = setting
        self.feature = feature
    }

    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials? {
        if profile.credentials[setting] == nil, profile.config[setting] == nil { return nil }
        throw .notAvailableYet(source: "The AWS profile '\(profile.name)'", feature: feature)
    }
}
