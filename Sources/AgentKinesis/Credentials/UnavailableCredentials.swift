// SPDX-License-Identifier: Apache-2.0

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
