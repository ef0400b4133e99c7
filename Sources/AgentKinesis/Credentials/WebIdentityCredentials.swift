// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// A role that whoever issued a token vouches for: of a Kubernetes service account, for one. The token is in a file, which
/// its writer renews and which is read each time. Read 2026-11-25:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>.
struct WebIdentityCredentials: CredentialSource {
    private static let tokenFile = "AWS_WEB_IDENTITY_TOKEN_FILE"
    private static let role = "AWS_ROLE_ARN"
    private static let session = "AWS_ROLE_SESSION_NAME"

    let environment: Environment
    let service: RoleService

    var lookedAt: String { "a web identity (\(Self.tokenFile) is not set)" }

    var files: [String] { environment[Self.tokenFile].map { [$0] } ?? [] }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        guard let file = environment[Self.tokenFile] else { return nil }
        guard let arn = environment[Self.role] else {
            throw .unusable(source: "the environment", fault: "\(Self.tokenFile) is set, \(Self.role) is not")
        }
        let role = RoleService.Role(arn: arn, session: environment[Self.session])
        return try service.assume(role, webIdentity: Self.token(in: file, Self.tokenFile), now: now)
    }

    static func token(in file: String, _ setting: String) throws(CredentialError) -> String {
        guard let text = try TextFile.read(file) else { throw .unreadable(file: file, fault: "it does not exist") }
        let token = trimmed(text)
        if token.isEmpty { throw .unusable(source: file, fault: "it is empty, and \(setting) names it") }
        return token
    }
}

/// The same where a profile names the file and the role.
struct WebIdentityOfProfile: ProfileMethod {
    func credentials(of profile: Profile, now: WallTime) throws(CredentialError) -> Credentials? {
        let setting = "web_identity_token_file"
        guard let file = profile.setting(setting) else { return nil }
        guard let arn = profile.setting("role_arn") else {
            throw .unusable(source: "profile '\(profile.name)'", fault: "\(setting) is set, role_arn is not")
        }
        let role = RoleService.Role(arn: arn, session: profile.setting("role_session_name"))
        let token = try WebIdentityCredentials.token(in: file, setting)
        return try profile.all.services.roles.assume(role, webIdentity: token, now: now)
    }
}
