// SPDX-License-Identifier: Apache-2.0

// The places that are known, in botocore's order. A new one is a file with a type of its own and a line here.

extension CredentialChain {
    /// The order of the AWS command line: the environment's keys, a role that a profile of the shared files names, a web
    /// identity, the profile's other ways, the container's, the instance's. Only a profile that is configured turns the
    /// environment's off, not one that the environment names.
    /// - Parameters:
    ///   - profile: The configured profile; `nil`: AWS_DEFAULT_PROFILE, else AWS_PROFILE, else `default`.
    ///   - region: Where roles are asked for.
    ///   - caFile: Of certificate authorities, for roles; empty: the system's.
    public static func standard(
        profile: String? = nil,
        region: String = "us-east-1",
        caFile: String = "",
        environment: Environment = .process
    ) -> CredentialChain {
        let services = CredentialServices(environment, region: region, caFile: caFile)
        func ofProfile(_ methods: [any ProfileMethod]) -> ProfileCredentials {
            ProfileCredentials(
                profile: profile ?? environment.namedProfile?.name,
                environment: environment,
                methods: methods,
                services: services
            )
        }
        var sources: [any CredentialSource] = []
        if profile == nil { sources.append(services.environment) }
        sources.append(ofProfile([AssumedRole()]))
        if profile == nil { sources.append(WebIdentityCredentials(environment: environment, service: services.roles)) }
        sources.append(ofProfile(ProfileCredentials.methodsBesidesRoles))
        sources.append(services.container)
        sources.append(services.instance)
        return CredentialChain(sources)
    }

    /// What the environment says of credentials without effect, a sentence each: somebody may count on it.
    public static func passedOver(profile: String? = nil, environment: Environment = .process) -> [String] {
        let keys = "AWS_ACCESS_KEY_ID"
        let hasKeys = environment[keys] != nil
        var sentences: [String] = []
        if let profile {
            let reason = "because aws.profile is '\(profile)'"
            if hasKeys { sentences.append("The keys in the environment (\(keys)) are not used, \(reason).") }
            if let named = environment.namedProfile, named.name != profile {
                sentences.append("\(named.variable) ('\(named.name)') is not used, \(reason).")
            }
        } else if let named = environment.namedProfile {
            if hasKeys {
                sentences.append(
                    "\(named.variable) ('\(named.name)') is not used, because \(keys) is set; aws.profile would win over both."
                )
            } else if let other = environment["AWS_PROFILE"], other != named.name {
                sentences.append("AWS_PROFILE ('\(other)') is not used, because \(named.variable) is set.")
            }
        }
        if !hasKeys, environment["AWS_SECRET_ACCESS_KEY"] != nil {
            sentences.append("AWS_SECRET_ACCESS_KEY is not used, because \(keys) is not set.")
        }
        return sentences
    }
}

extension ProfileCredentials {
    /// The order within a profile, after ``AssumedRole``: a web identity, keys of the credentials file, a process, keys of
    /// the config file.
    static var methodsBesidesRoles: [any ProfileMethod] {
        [
            WebIdentityOfProfile(),
            UnavailableInProfiles("sso_session", feature: "IAM Identity Center (sso_session)"),
            UnavailableInProfiles("sso_start_url", feature: "IAM Identity Center (sso_start_url)"),
            ProfileKeys(.credentials),
            UnavailableInProfiles("login_session", feature: "a login session (login_session)"),
            ProcessCredentials(),
            ProfileKeys(.config),
        ]
    }
}

/// What one way of getting credentials may ask another one for.
struct CredentialServices: Sendable {
    let environment: EnvironmentCredentials
    let container: ContainerCredentials
    let instance: InstanceCredentials
    let roles: RoleService

    init(_ environment: Environment, region: String, caFile: String) {
        self.environment = EnvironmentCredentials(environment)
        container = ContainerCredentials(environment)
        instance = InstanceCredentials(environment)
        roles = RoleService(environment, region: region, caFile: caFile)
    }
}

extension Environment {
    /// botocore's order of the two.
    fileprivate var namedProfile: (variable: String, name: String)? {
        for variable in ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"] {
            if let name = self[variable] { return (variable, name) }
        }
        return nil
    }
}
