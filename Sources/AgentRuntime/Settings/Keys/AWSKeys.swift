// SPDX-License-Identifier: Apache-2.0

/// The keys of `[aws]`, in the order of agent.conf.example.
struct AWSKeys: SettingKeys {
    static let list = SettingList("aws", AWSKeys())

    let region: Setting<String> = .text(
        "region",
        default: "us-east-1",
        "a region such as \"us-east-1\"",
        parse: SettingText.region,
        needsRestart: true,
        about: "The region of streams and requests that name none.",
        risk:
            "Such streams become other streams: what is queued for the old region stays there, parked, until it is listed again."
    )

    /// `http://` or `https://`, host and port, without a slash at its end; empty: AWS's own.
    let endpoint: Setting<String> = .text(
        "endpoint",
        default: "",
        "\"\" or a URL such as \"https://kinesis.example.com:4567\", without a path",
        parse: SettingText.endpointOrNone,
        needsRestart: false,
        about: "Sends to this address instead of AWS's own: a VPC endpoint, a proxy, kinesis-local.",
        risk: "Events go to whoever answers there. With http:// they cross the network unencrypted."
    )

    /// Empty: the system's certificate authorities.
    let caFile: Setting<String> = .text(
        "ca_file",
        default: "",
        "\"\" or an absolute path without control characters, of at most 4095 bytes",
        parse: SettingText.pathOrNone,
        needsRestart: false,
        about: """
            A PEM file of the certificate authorities to trust instead of the system's. It is read again within \
            seconds when it changes.
            """,
        risk: "Whoever holds a key of such an authority can read and alter what is sent."
    )

    /// Empty: `AWS_PROFILE`, then `default`.
    let profile: Setting<String> = .text(
        "profile",
        default: "",
        "\"\" or the name of a profile",
        parse: SettingText.word,
        needsRestart: true,
        about: """
            The profile of the shared AWS files whose credentials are used. "" is what the AWS command line does: the \
            keys in the environment, else the profile that $AWS_DEFAULT_PROFILE or $AWS_PROFILE names, else \
            "default"; then what a container or an EC2 instance is given. Credentials themselves have no place in \
            this file.
            """,
        risk: "Without working credentials nothing is sent and nothing is lost; agentctl status says so."
    )
}
