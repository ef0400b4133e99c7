// SPDX-License-Identifier: Apache-2.0

// The places that are known, in botocore's order. A new one is a file with a type of its own and a line here.

extension CredentialChain {
    /// The order of the AWS command line: the environment's keys, then a profile of the shared files. Only a profile that
    /// is configured turns the environment's keys off, not one that the environment names.
    /// - Parameter profile: The configured profile; `nil`: AWS_DEFAULT_PROFILE, else AWS_PROFILE, else `default`.
    public static func standard(profile: String? = nil, environment: Environment = .process) -> CredentialChain {
        let ofEnvironment: [any CredentialSource] = [
            EnvironmentCredentials(environment),
            UnavailableCredentials(environment, ["AWS_WEB_IDENTITY_TOKEN_FILE"], feature: "a web identity"),
        ]
        let ofProfileAndMachine: [any CredentialSource] = [
            ProfileCredentials(profile: profile ?? environment.namedProfile?.name, environment: environment),
            ContainerCredentials(environment),
            InstanceCredentials(environment),
        ]
        return CredentialChain(profile == nil ? ofEnvironment + ofProfileAndMachine : ofProfileAndMachine)
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
    /// The order within a profile: roles, keys of the credentials file, a process, keys of the config file.
    static var methods: [any ProfileMethod] {
        [
            UnavailableInProfiles("web_identity_token_file", feature: "a web identity"),
            UnavailableInProfiles("role_arn", feature: "an assumed role (role_arn)"),
            UnavailableInProfiles("sso_session", feature: "IAM Identity Center (sso_session)"),
            UnavailableInProfiles("sso_start_url", feature: "IAM Identity Center (sso_start_url)"),
            ProfileKeys(.credentials),
            UnavailableInProfiles("login_session", feature: "a login session (login_session)"),
            ProcessCredentials(),
            ProfileKeys(.config),
        ]
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
