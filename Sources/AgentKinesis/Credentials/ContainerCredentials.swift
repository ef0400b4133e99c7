// SPDX-License-Identifier: Apache-2.0

/// Credentials that a container is given by its host: Amazon ECS, EKS Pod Identity, AWS IoT Greengrass.
///
/// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is a path at the address that ECS serves, AWS_CONTAINER_CREDENTIALS_FULL_URI a
/// whole URL. The token for it is in the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names, which its writer renews,
/// or in AWS_CONTAINER_AUTHORIZATION_TOKEN. Read 2026-11-25:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>.
struct ContainerCredentials: CredentialSource {
    private static let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    private static let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    private static let tokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    private static let token = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    /// Besides loopback, whom a token may be sent to without TLS: ECS, and EKS Pod Identity by both protocols.
    private static let trustedHosts: Set<String> = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]

    private let environment: Environment
    private let host: String

    /// - Parameter host: What a relative URI is relative to.
    init(_ environment: Environment, host: String = "http://169.254.170.2") {
        self.environment = environment
        self.host = host
    }

    var lookedAt: String { "the container's credentials (\(Self.relative) or \(Self.full) is not set)" }

    /// Where there is no token yet, there will be a file.
    var files: [String] {
        guard environment[Self.relative] ?? environment[Self.full] != nil else { return [] }
        return environment[Self.tokenFile].map { [$0] } ?? []
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        guard let url = try url() else { return nil }
        let source = "The container's endpoint \(Self.origin(of: url))"
        var request = SmallRequest(url: url)
        request.headers = [("Accept", "application/json")]
        if let token = try authorization() { request.headers.append(("Authorization", token)) }
        let answer: SmallRequest.Answer
        do throws(SmallRequest.Fault) {
            answer = try request.perform()
        } catch {
            throw .refused(source: source, fault: error.reason)
        }
        guard let document = try? CredentialDocument(answer.body) else {
            throw .refused(source: source, fault: "it answered HTTP \(answer.status) and no JSON")
        }
        guard answer.status == 200 else {
            let words = document["message"] ?? document["Message"] ?? "without a message"
            throw .refused(
                source: source,
                fault:
                    "it answered HTTP \(answer.status): \(Redaction(secrets: request.headers.map(\.value)).clean(words))"
            )
        }
        return try document.credentials(source: source)
    }

    /// `nil`: the environment names none.
    private func url() throws(CredentialError) -> String? {
        if let path = environment[Self.relative] {
            guard path.first == "/" else { throw unusable(Self.relative, "it does not begin with '/'") }
            return host + path
        }
        guard let url = environment[Self.full] else { return nil }
        if url.hasPrefix("https://") { return url }
        guard url.hasPrefix("http://") else { throw unusable(Self.full, "it is not an http or https URL") }
        let authority = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@"), Self.isTrusted(Self.host(of: authority)) else {
            throw unusable(Self.full, "without https, its host must be this machine or one that AWS documents")
        }
        return url
    }

    /// Whom it names, and nothing more: who knows the path at ECS's address may ask there as well.
    private static func origin(of url: String) -> Substring {
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let authority = url[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority[(authority.lastIndex(of: "@").map(authority.index(after:)) ?? authority.startIndex)...]
        return url[..<start] + host
    }

    private static func host(of authority: Substring) -> Substring {
        if authority.first == "[" { return authority.firstIndex(of: "]").map { authority[...$0] } ?? authority }
        return authority.prefix { $0 != ":" }
    }

    private static func isTrusted(_ host: Substring) -> Bool {
        if host == "localhost" || host == "[::1]" || trustedHosts.contains(String(host)) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in part.allSatisfy(\.isWholeNumber) && UInt8(part) != nil }
    }

    private func authorization() throws(CredentialError) -> String? {
        let (name, text): (String, String)
        if let file = environment[Self.tokenFile] {
            guard let read = try TextFile.read(file) else { throw unusable(Self.tokenFile, "\(file) does not exist") }
            (name, text) = (Self.tokenFile, read)
        } else if let token = environment[Self.token] {
            (name, text) = (Self.token, token)
        } else {
            return nil
        }
        // A line break would begin another header.
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw unusable(name, "the token has a line break or another control character")
        }
        return text
    }

    private func unusable(_ variable: String, _ fault: String) -> CredentialError {
        .unusable(source: "the environment variable \(variable)", fault: fault)
    }
}
