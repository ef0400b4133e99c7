// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A role that a profile names with `role_arn`, assumed as whom `source_profile` or `credential_source` names; that one
/// may be a role again. Read 2026-11-25:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>.
struct AssumedRole: ProfileMethod {
    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials? {
        try credentials(of: profile, on: [profile.name], now)
    }

    /// - Parameter way: The profiles that led here, this one last.
    private func credentials(of profile: Profile, on way: [String], _ now: WallTime) throws(CredentialError)
        -> Credentials?
    {
        guard profile.isRole, let arn = profile.setting("role_arn") else { return nil }
        if profile.setting("mfa_serial") != nil {
            throw .notAvailableYet(
                source: "The AWS profile '\(profile.name)'",
                feature: "a code of a device (mfa_serial)"
            )
        }
        let role = RoleService.Role(
            arn: arn,
            session: profile.setting("role_session_name"),
            externalID: profile.setting("external_id"),
            lifetime: profile.setting("duration_seconds").flatMap { Int($0) }
        )
        let caller =
            switch (profile.setting("source_profile"), profile.setting("credential_source")) {
            case (let name?, nil): try caller(inProfile: name, of: profile, on: way, now)
            case (nil, let place?): try caller(at: place, of: profile, now)
            case (nil, nil): throw unusable(profile, "role_arn needs a source_profile or a credential_source")
            case (_?, _?): throw unusable(profile, "it has both a source_profile and a credential_source")
            }
        guard caller.areWellFormed else {
            throw .unusable(source: caller.source, fault: "a key is empty or has characters that no key has")
        }
        return try profile.all.services.roles.assume(role, as: caller, now: now)
    }

    private func caller(inProfile name: String, of profile: Profile, on way: [String], _ now: WallTime)
        throws(CredentialError) -> Credentials
    {
        guard let source = profile.all.profile(named: name) else {
            throw .noSuchProfile(name: name, files: profile.all.files)
        }
        // A profile may assume a role with its own keys.
        if way.contains(name), name != profile.name || !source.hasKeys {
            throw unusable(profile, "its source_profile leads back to '\(name)'")
        }
        let found =
            source.hasKeys || !source.isRole
            ? try ProfileCredentials.first(of: ProfileCredentials.methodsBesidesRoles, source, now)
            : try credentials(of: source, on: way + [name], now)
        guard let found else { throw unusable(profile, "its source_profile '\(name)' has no credentials") }
        return found
    }

    private func caller(at place: String, of profile: Profile, _ now: WallTime) throws(CredentialError) -> Credentials {
        let services = profile.all.services
        let source: any CredentialSource
        switch place.lowercased() {
        case "environment": source = services.environment
        case "ec2instancemetadata": source = services.instance
        case "ecscontainer": source = services.container
        default:
            throw unusable(
                profile,
                "its credential_source is none of Environment, Ec2InstanceMetadata and EcsContainer"
            )
        }
        guard let found = try source.credentials(now: now) else {
            throw .refused(
                source: "The credential_source \(place) of the AWS profile '\(profile.name)'",
                fault: source.lookedAt
            )
        }
        return found
    }

    private func unusable(_ profile: Profile, _ fault: String) -> CredentialError {
        .unusable(source: "profile '\(profile.name)'", fault: fault)
    }
}

extension Profile {
    fileprivate var isRole: Bool { setting("role_arn") != nil && setting("web_identity_token_file") == nil }

    fileprivate var hasKeys: Bool { setting("aws_access_key_id") != nil || setting("aws_secret_access_key") != nil }
}
