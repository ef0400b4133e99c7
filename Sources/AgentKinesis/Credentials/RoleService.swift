// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// AWS STS, which gives a role's credentials to those whom the role trusts. Read 2026-11-25:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
struct RoleService {
    private let environment: Environment
    private let region: String
    private let caFile: String

    /// - Parameters:
    ///   - region: Whose STS is asked.
    ///   - caFile: Of certificate authorities; empty: the system's.
    init(_ environment: Environment, region: String, caFile: String) {
        self.environment = environment
        self.region = region
        self.caFile = caFile
    }

    /// What is asked for.
    struct Role {
        let arn: String
        /// Whoever is looked for in a trail of audits.
        var session: String?
        var externalID: String?
        /// In seconds; STS takes 900 to 43 200, and the role's own limit.
        var lifetime: Int?

        static let usualSession = "agentd"
    }

    /// AssumeRole, signed with the credentials of somebody whom the role trusts.
    func assume(_ role: Role, as caller: Credentials, now: WallTime) throws(CredentialError) -> Credentials {
        try ask("AssumeRole", role, [], signedBy: caller, now: now)
    }

    /// AssumeRoleWithWebIdentity, which is not signed: the token says who asks.
    func assume(_ role: Role, webIdentity token: String, now: WallTime) throws(CredentialError) -> Credentials {
        try ask("AssumeRoleWithWebIdentity", role, [("WebIdentityToken", token)], signedBy: nil, now: now)
    }

    private func ask(
        _ action: String,
        _ role: Role,
        _ more: [(String, String)],
        signedBy caller: Credentials?,
        now: WallTime
    ) throws(CredentialError) -> Credentials {
        let (url, signingRegion) = try endpoint()
        let source = "The role \(role.arn), asked for at \(url),"
        var fields = [
            ("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn),
            ("RoleSessionName", role.session ?? Role.usualSession),
        ]
        if let id = role.externalID { fields.append(("ExternalId", id)) }
        if let lifetime = role.lifetime { fields.append(("DurationSeconds", String(lifetime))) }
        let body = (fields + more).map { "\($0.0)=\(Self.percentEncoded($0.1))" }.joined(separator: "&")
        var request = SmallRequest(url: url, method: .post(body))
        request.isNearby = false
        request.caFile = caFile
        request.timeout = .seconds(10)
        request.headers = Self.headers(to: url, body, signedBy: caller, region: signingRegion, now: now)

        let answer: SmallRequest.Answer
        do throws(SmallRequest.Fault) {
            answer = try request.perform()
        } catch {
            throw .refused(source: source, fault: error.reason)
        }
        guard let texts = try? XMLTexts(answer.body) else {
            throw .refused(source: source, fault: "it answered HTTP \(answer.status) and no XML")
        }
        guard answer.status == 200 else {
            let secrets = more.map(\.1) + [caller?.secretAccessKey, caller?.sessionToken].compactMap { $0 }
            let words = [texts["Error/Code"], texts["Error/Message"]].compactMap { $0 }.joined(separator: ": ")
            throw .refused(
                source: source,
                fault: "it answered HTTP \(answer.status)"
                    + (words.isEmpty ? "" : ": \(Redaction(secrets: secrets).clean(words))")
            )
        }
        return try Self.credentials(in: texts, role, source)
    }

    private static func credentials(in texts: XMLTexts, _ role: Role, _ source: String) throws(CredentialError)
        -> Credentials
    {
        guard let id = texts["Credentials/AccessKeyId"], let secret = texts["Credentials/SecretAccessKey"],
            let token = texts["Credentials/SessionToken"],
            let expiration = texts["Credentials/Expiration"].flatMap({ WallTime(rfc3339: $0) })
        else { throw .refused(source: source, fault: "its answer has no complete credentials") }
        return Credentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: token,
            expiration: expiration,
            source: "the role \(role.arn)"
        )
    }

    private static func headers(
        to url: String,
        _ body: String,
        signedBy caller: Credentials?,
        region: String,
        now: WallTime
    )
        -> [(name: String, value: String)]
    {
        var headers = [(name: "content-type", value: "application/x-www-form-urlencoded; charset=utf-8")]
        guard let caller else { return headers }
        let endpoint = EndpointURL(url)
        let timestamp = now.basicISO8601
        headers += [("host", endpoint.host), ("x-amz-date", timestamp)]
        if !caller.sessionToken.isEmpty { headers.append(("x-amz-security-token", caller.sessionToken)) }
        var signer = RequestSigner(region: region, service: "sts", credentials: caller)
        let authorization = Array(body.utf8).withUnsafeBytes { bytes in
            signer.authorization(path: endpoint.path, headers: headers, body: bytes, timestamp: timestamp)
        }
        return headers + [("authorization", authorization)]
    }

    /// Where STS is, and for which region a request to it is signed.
    func endpoint() throws(CredentialError) -> (url: String, region: String) {
        if environment.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == false {
            for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
                guard let url = environment[variable] else { continue }
                guard url.hasPrefix("https://") || url.hasPrefix("http://"),
                    !url.contains(where: { "@?#".contains($0) })
                else {
                    throw .unusable(
                        source: "the environment variable \(variable)",
                        fault: "it is not an http or https URL of a host"
                    )
                }
                return (url, region)
            }
        }
        if environment["AWS_STS_REGIONAL_ENDPOINTS"]?.lowercased() == "legacy", Self.globalRegions.contains(region) {
            return ("https://sts.amazonaws.com", "us-east-1")
        }
        let kinesis = "https://kinesis."
        guard let url = Region.publicEndpoint(of: region), url.hasPrefix(kinesis) else {
            throw .unusable(
                source: "a role",
                fault: "AWS has no region '\(region)' (aws.region) whose STS could be asked; set AWS_ENDPOINT_URL_STS"
            )
        }
        return ("https://sts.\(url.dropFirst(kinesis.count))", region)
    }

    /// Those whose requests went to the one endpoint of old. Read 2026-11-25:
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html>.
    private static let globalRegions: Set<String> = [
        "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1",
        "eu-north-1",
        "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    ]

    private static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
            }
        }
        return result
    }
}
