// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Synchronization

/// Credentials of the role that an EC2 instance has, from its metadata service (IMDS).
///
/// A session token is got first (version 2 of the service). Where the service knows no tokens, or the answer with one
/// does not arrive, as behind a container's network with a hop limit of 1, it is asked without (version 1), unless
/// AWS_EC2_METADATA_V1_DISABLED is `true`.
///
/// What EC2 gave stays in use once it has ended, where the service has nothing newer or does not answer: AWS may honour
/// it longer while EC2 cannot renew it. The service is asked again 10 to 15 minutes later. Read 2026-11-25:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html> and
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html>.
// `state` is guarded by its lock.
final class InstanceCredentials: CredentialSource {
    private static let disabled = "AWS_EC2_METADATA_DISABLED"
    private static let withoutVersion1 = "AWS_EC2_METADATA_V1_DISABLED"
    private static let endpoint = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    private static let endpointMode = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
    private static let timeout = "AWS_METADATA_SERVICE_TIMEOUT"
    private static let attempts = "AWS_METADATA_SERVICE_NUM_ATTEMPTS"
    private static let rolePath = "/latest/meta-data/iam/security-credentials/"

    private let environment: Environment
    private let state = Mutex(State())

    private struct State {
        /// What EC2 gave last, with its own end.
        var given: Credentials?
        /// Why there were none.
        var absence = "it was not asked"
    }

    /// What came of asking.
    private enum Answer {
        case credentials(Credentials)
        /// This instance has no role.
        case noRole
        /// Nobody answers as EC2 does; the text says why.
        case none(String)
        /// The service has a role but does not give its credentials just now.
        case fault(String)
    }

    init(_ environment: Environment) { self.environment = environment }

    var lookedAt: String { "the EC2 instance's role (\(state.withLock { $0.absence }))" }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        if environment.isTrue(Self.disabled) {
            state.withLock { $0.absence = "\(Self.disabled) is true" }
            return nil
        }
        let base = try base()
        let source = "The EC2 instance's metadata service \(base)"
        let given = state.withLock { $0.given }
        switch ask(base, source) {
        case .credentials(let found):
            state.withLock { $0.given = found }
            return found.expiration.map { $0 <= now } == true ? extended(found, now) : found
        case .noRole:
            state.withLock { $0 = State(absence: "the instance has none") }
            return nil
        case .none(let why):
            state.withLock { $0.absence = "\(base): \(why)" }
            // Without an answer, a role that was there is still there.
            guard let given else { return nil }
            return try kept(given, now, else: .refused(source: source, fault: why))
        case .fault(let why):
            let error = CredentialError.refused(source: source, fault: why)
            guard let given else { throw error }
            return try kept(given, now, else: error)
        }
    }

    /// Those that were given, once they have ended; until then nothing is new, and they are in use anyway.
    private func kept(_ given: Credentials, _ now: WallTime, else error: CredentialError) throws(CredentialError)
        -> Credentials
    {
        guard let end = given.expiration, end <= now else { throw error }
        return extended(given, now)
    }

    /// With an end that has them got anew in 10 to 15 minutes: ``RefreshSchedule`` does so when three quarters to five
    /// sixths of a short lifetime are over.
    private func extended(_ given: Credentials, _ now: WallTime) -> Credentials {
        Credentials(
            accessKeyID: given.accessKeyID,
            secretAccessKey: given.secretAccessKey,
            sessionToken: given.sessionToken,
            expiration: WallTime(milliseconds: now.milliseconds + .random(in: 14 * 60_000...18 * 60_000)),
            source: given.source
        )
    }

    private func ask(_ base: String, _ source: String) -> Answer {
        var token: String?
        do throws(SmallRequest.Fault) {
            let answer = try perform(
                base + "/latest/api/token",
                .put,
                [("x-aws-ec2-metadata-token-ttl-seconds", "300")]
            )
            switch answer.status {
            case 200:
                token = trimmed(String(decoding: answer.body, as: UTF8.self))
                guard let token, !token.isEmpty, token.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else {
                    return .none("its session token cannot be one")
                }
            case 403, 404, 405: break
            case 400: return .fault("it refuses to give a session token: HTTP 400")
            default: return .none("it answered HTTP \(answer.status) where a session token was asked for")
            }
        } catch {
            if environment.isTrue(Self.withoutVersion1) { return .none(error.reason) }
        }
        if token == nil, environment.isTrue(Self.withoutVersion1) {
            return .none("it gives no session token, and \(Self.withoutVersion1) is true")
        }
        let headers = token.map { [("x-aws-ec2-metadata-token", $0)] } ?? []
        do throws(SmallRequest.Fault) {
            let roles = try perform(base + Self.rolePath, .get, headers)
            if roles.status == 404 { return .noRole }
            guard roles.status == 200 else { return .none("it answered HTTP \(roles.status)") }
            let role = trimmed(String(decoding: roles.body, as: UTF8.self).prefix { !$0.isNewline })
            guard Self.isRoleName(role) else { return .none("it names no role") }
            return credentials(of: try perform(base + Self.rolePath + role, .get, headers), role, source)
        } catch {
            return .none(error.reason)
        }
    }

    private func credentials(of answer: SmallRequest.Answer, _ role: String, _ source: String) -> Answer {
        guard answer.status == 200, let document = try? CredentialDocument(answer.body) else {
            return .fault("for the role \(role) it answered HTTP \(answer.status) without credentials")
        }
        do throws(CredentialError) {
            return .credentials(try document.credentials(source: source))
        } catch {
            switch error {
            case .refused(_, let fault), .unusable(_, let fault): return .fault("\(fault) (role \(role))")
            default: return .fault(error.description)
            }
        }
    }

    /// Tries a request as often as the environment wants.
    private func perform(_ url: String, _ method: SmallRequest.Method, _ headers: [(String, String)])
        throws(SmallRequest.Fault) -> SmallRequest.Answer
    {
        var request = SmallRequest(url: url, method: method)
        request.headers = headers.map { (name: $0.0, value: $0.1) }
        request.timeout = .seconds(number(Self.timeout, atMost: 10))
        for _ in 1..<number(Self.attempts, atMost: 5) {
            do throws(SmallRequest.Fault) {
                let answer = try request.perform()
                if answer.status < 500 { return answer }
            } catch {}
        }
        return try request.perform()
    }

    private func number(_ variable: String, atMost limit: Int) -> Int {
        max(1, min(limit, environment[variable].flatMap { Int($0) } ?? 1))
    }

    /// Without a slash at its end.
    private func base() throws(CredentialError) -> String {
        if let own = environment[Self.endpoint] {
            guard own.hasPrefix("http://") || own.hasPrefix("https://"), !own.contains(where: { "@?#".contains($0) })
            else {
                throw .unusable(
                    source: "the environment variable \(Self.endpoint)",
                    fault: "it is not an http or https URL of a host"
                )
            }
            return own.last == "/" ? String(own.dropLast()) : own
        }
        return switch environment[Self.endpointMode]?.lowercased() {
        case nil, "ipv4": "http://169.254.169.254"
        case "ipv6": "http://[fd00:ec2::254]"
        default:
            throw .unusable(
                source: "the environment variable \(Self.endpointMode)",
                fault: "it is neither IPv4 nor IPv6"
            )
        }
    }

    /// What IAM allows in a name, so that it can stand in a path.
    private static func isRoleName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128
            && text.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "_+=,.@-".unicodeScalars.contains($0))
            }
    }
}

extension Environment {
    func isTrue(_ name: String) -> Bool { self[name]?.lowercased() == "true" }
}
