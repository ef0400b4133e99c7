// SPDX-License-Identifier: Apache-2.0

/// What an operator can do about a fault: each of these helps if it is done, and where nothing need be done it says so.
enum Remedy {
    static func of(code: String, disposition: Disposition) -> String {
        // Kinesis calls it an invalid signature.
        if disposition == .clock { return "Set this machine's clock (NTP). Events are kept." }
        if let known = byCode[code] ?? byCode[Disposition.word(code)] { return known }
        if code.hasPrefix("KMS") {
            return "Check the state and the policy of the stream's KMS key. Its events are kept."
        }
        if code.hasPrefix("http_"), let status = Int(code.dropFirst(5)) { return of(status: status) }
        return switch disposition {
        case .throttledKey, .throttledDestination:
            "None needed if it passes. If it lasts: add shards, or spread the load over more partition keys."
        case .transient:
            "None needed if it passes. If it lasts: look this error up in the documentation of Kinesis. Events are kept."
        case .endpoint: "Check the network path to the endpoint. \(goesOn)"
        case .identity, .clock: "Renew or correct the agent's credentials. Events are kept until they work."
        case .destination: "Check the stream and the agent's permissions on it. Its events are kept."
        case .record: "Look at the event with 'agentctl dead-letters' or 'agentctl peek', and at the stream's limits."
        }
    }

    private static let goesOn = "The agent goes on trying; events are kept."
    private static let proxyVariables = "https_proxy, http_proxy or all_proxy"
    private static let proxyPassword =
        "Give the proxy's user and password in https_proxy or http_proxy (http://user:password@host:port), or name the"
        + " endpoint in no_proxy to go without it. \(goesOn)"

    /// For answers that name no error: most are a proxy's or a portal's.
    private static func of(status: Int) -> String {
        switch status {
        case 300..<400:
            "Something on the way redirects requests: log in to the network where it is a portal, else correct"
                + " aws.endpoint. \(goesOn)"
        case 401, 403, 451:
            "Something on the way forbids the request: allow the agent in the proxy or firewall, or name the endpoint in"
                + " no_proxy. \(goesOn)"
        case 404, 405, 410, 501:
            "What answers is not Kinesis: correct aws.endpoint, or the proxy that is on the way. \(goesOn)"
        case 407: proxyPassword
        case 408, 425, 500, 502...504:
            "None needed if it passes. If it lasts: check the endpoint, and the proxies on the way to it. \(goesOn)"
        case 411, 413, 414:
            "Lower delivery.max_batch_bytes, or let the proxy on the way take bodies of 1.4 times its size and more."
                + " \(goesOn)"
        case 417, 426, 505:
            "Something on the way does not take the request as it is sent (HTTP/1.1 POST): replace or go around that"
                + " proxy (no_proxy). \(goesOn)"
        case 421:
            "What answers does not serve the endpoint's host name: correct aws.endpoint, or the proxy or load balancer on"
                + " the way. \(goesOn)"
        case 429: "None needed if it passes. If it lasts: raise the rate limit of the proxy on the way. \(goesOn)"
        case 431: "Let the proxy on the way take request headers of 16 KiB. \(goesOn)"
        case 511: "Log in to the network: a portal answers in place of Kinesis. \(goesOn)"
        case 400..<500:
            "Check aws.endpoint and the proxies on the way: one of them refuses the request, and repeating does not"
                + " change that. \(goesOn)"
        default:
            "None needed if it passes. If it lasts: check the endpoint, and the proxies on the way to it. \(goesOn)"
        }
    }

    /// By our own words, and by Kinesis's names without `Exception` or `Error`.
    private static let byCode: [String: String] = [
        "no_credentials":
            "Give the agent credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile file.",

        "unreachable":
            "Check the endpoint's host and port, and the way there: cable, route, firewall. \(goesOn)",
        "dns": "Check this machine's name servers, and the host name in aws.endpoint or of the region. \(goesOn)",
        "no_answer":
            "Check the network path to the endpoint; on a slow link raise delivery.request_timeout. \(goesOn)",
        "tls":
            "See that TLS 1.2 or later is spoken at the endpoint's port, and that nothing on the way breaks it open."
            + " \(goesOn)",
        "tls_certificate":
            "Check this machine's clock, and that the authority that signed the endpoint's certificate is in aws.ca_file"
            + " (or, where that is empty, among the system's). \(goesOn)",
        "ca_file":
            "Make aws.ca_file a readable PEM file with at least one certificate; it is read again once it changes. \(goesOn)",
        "proxy": "Check the proxy that \(proxyVariables) name, or name the endpoint in no_proxy. \(goesOn)",
        "proxy_auth": proxyPassword,
        "endpoint_url": "Correct aws.endpoint, or the stream's endpoint. Events are kept.",
        "invalid_region":
            "Set an endpoint for the region (aws.endpoint, or that of the stream) if it exists; else its events can only be"
            + " read, with 'agentctl peek'.",
        "unintelligible_answer":
            "See what answers at the endpoint: not Kinesis, or a proxy or portal in its place. \(goesOn)",
        "unintelligible_entry":
            "See what answers at the endpoint: its answers are not complete. The agent goes on trying; events are kept.",
        "clock_learnt": "None needed: the agent signs with the endpoint's time from now on. Events are kept.",
        "cancelled": "None needed: the agent ended the request itself. Events are kept.",

        "Throttling": "None needed if it passes. If it lasts: ask AWS to raise the account's request quota.",
        "KMSThrottling": "None needed if it passes. If it lasts: raise the request quota of the stream's KMS key.",
        "InternalFailure": "None needed if it passes. If it lasts: see the health of Kinesis in the region. \(goesOn)",
        "ServiceUnavailable":
            "None needed if it passes. If it lasts: see the health of Kinesis in the region. \(goesOn)",

        "ExpiredToken": "Renew the agent's credentials: their session token has expired. Events are kept until then.",
        "UnrecognizedClient":
            "Correct the access key of the agent's credentials, or enable the region for its account. Events are kept.",
        "InvalidClientTokenId":
            "Correct the access key of the agent's credentials, or enable the region for its account. Events are kept.",
        "InvalidSignature":
            "Correct the secret key of the agent's credentials; else a proxy on the way alters requests. Events are kept.",
        "SignatureDoesNotMatch":
            "Correct the secret key of the agent's credentials; else a proxy on the way alters requests. Events are kept.",
        "IncompleteSignature":
            "A proxy on the way alters the header with the agent's credentials: go around it. Events are kept.",
        "MissingAuthenticationToken":
            "A proxy on the way removes the header with the agent's credentials, or aws.endpoint is not Kinesis. Events"
            + " are kept.",

        "ResourceNotFound":
            "Create the stream, or correct its name or region in the configuration. Its events are kept.",
        "AccessDenied": "Allow kinesis:PutRecords on the stream for the agent's identity. Its events are kept.",
        "KMSAccessDenied":
            "Allow kms:GenerateDataKey on the stream's KMS key for the agent's identity. Its events are kept.",
        "KMSDisabled": "Enable the stream's KMS key. Its events are kept.",
        "KMSInvalidState":
            "Make the stream's KMS key usable (it may be about to be deleted), or choose another. Its events are kept.",
        "KMSNotFound": "Choose a KMS key for the stream that exists. Its events are kept.",
        "UnknownOperation": "What answers does not know PutRecords: correct aws.endpoint. Events are kept.",
    ]
}
