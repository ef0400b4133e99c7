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

    /// The file that a variable names, or the usual one; `nil` where that is in a home and there is none.
    func file(_ variable: String, or usual: String) -> String? {
        PathExpansion(environment: self).expand(self[variable] ?? usual)
    }
}

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (once AWS_SECURITY_TOKEN), read once: a process's environment does not change.
struct EnvironmentCredentials: CredentialSource {
    private static let source = "environment variables"
    private let found: Result<Credentials?, CredentialError>

    init(_ environment: Environment) {
        found = Result { () throws(CredentialError) in try Self.read(environment) }
    }

    func credentials(now: WallTime) throws(CredentialError) -> Credentials? { try found.get() }

    var lookedAt: String { "\(Self.source) (AWS_ACCESS_KEY_ID is not set)" }

    private static func read(_ environment: Environment) throws(CredentialError) -> Credentials? {
        guard let id = environment["AWS_ACCESS_KEY_ID"] else { return nil }
        guard let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            throw .unusable(source: source, fault: "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not")
        }
        return Credentials(
            accessKeyID: trimmed(id),
            secretAccessKey: trimmed(secret),
            sessionToken: trimmed(environment["AWS_SECURITY_TOKEN"] ?? environment["AWS_SESSION_TOKEN"] ?? ""),
            source: source
        )
    }
}

/// Without white space at both ends, as a line end that came along from a file.
func trimmed(_ text: some StringProtocol) -> String {
    let isSpace = { (c: Character) in c == " " || c == "\t" || c.isNewline }
    let front = text.drop(while: isSpace)
    guard let last = front.lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(front[...last])
}
