// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Environment variables, read when asked. An empty one counts as not set.
public struct Environment: Sendable {
    private let lookup: @Sendable (String) -> String?

    public init(_ variables: [String: String]) { lookup = { variables[$0] } }
    private init(lookup: @escaping @Sendable (String) -> String?) { self.lookup = lookup }

    /// This process's own.
    public static let process = Environment { name in getenv(name).map { String(cString: $0) } }

    public subscript(name: String) -> String? {
        guard let value = lookup(name), !value.isEmpty else { return nil }
        return value
    }

    /// A file of the user's home; relative where there is none, and then not found.
    func inHome(_ path: String) -> String { "\(self["HOME"] ?? "~")/\(path)" }
}

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, read once: a process's environment does not change.
struct EnvironmentCredentials: CredentialSource {
    private static let source = "environment variables"
    private let found: Result<Credentials?, CredentialError>

    init(_ environment: Environment) {
        found = Result { () throws(CredentialError) in try Self.read(environment) }
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? { try found.get() }

    func invalidate(_: Credentials) {}

    var lookedAt: String { "\(Self.source) (AWS_ACCESS_KEY_ID is not set)" }

    private static func read(_ environment: Environment) throws(CredentialError) -> Credentials? {
        guard let id = environment["AWS_ACCESS_KEY_ID"] else { return nil }
        guard let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            throw .unusable(source: source, fault: "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not")
        }
        return Credentials(
            accessKeyID: trimmed(id),
            secretAccessKey: trimmed(secret),
            sessionToken: trimmed(environment["AWS_SESSION_TOKEN"] ?? ""),
            source: source
        )
    }
}

/// Places that an environment names but this version cannot ask: they are told of rather than passed over.
struct UnavailableCredentials: CredentialSource {
    private let environment: Environment

    init(environment: Environment) { self.environment = environment }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? {
        for (variable, feature) in [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "a web identity"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "the container's credentials"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "the container's credentials"),
        ] where environment[variable] != nil {
            throw .notAvailableYet(source: "The environment variable \(variable)", feature: feature)
        }
        return nil
    }

    func invalidate(_: Credentials) {}

    var lookedAt: String { "the EC2 instance's role is not available yet" }
}

/// Without white space at both ends, as a line end that came along from a file.
func trimmed(_ text: some StringProtocol) -> String {
    let isSpace = { (c: Character) in c == " " || c == "\t" || c.isNewline }
    let front = text.drop(while: isSpace)
    guard let last = front.lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(front[...last])
}
