// SPDX-License-Identifier: Apache-2.0

/// The JSON in which services hand out credentials: an object with texts, of which each kind of service names some.
struct CredentialDocument {
    private var members: [String: String] = [:]
    /// `Version`, where that is a whole number.
    private(set) var version: Int?

    /// - Throws: Where it is no JSON object. Members that are no texts are passed over.
    init(_ body: [UInt8]) throws(MalformedAnswer) {
        (members, version) = try body.withUnsafeBufferPointer { (bytes) throws(MalformedAnswer) in
            var scanner = AnswerScanner(bytes)
            var found: [String: String] = [:]
            var version: Int?
            try scanner.expect("{")
            var first = true
            while try scanner.next(before: "}", first: &first) {
                let name = scanner.decoded(try scanner.memberName())
                guard scanner.peek() == UInt8(ascii: "\"") else {
                    let number = try scanner.scalar()
                    if name == "Version" { version = number.flatMap { Int(scanner.decoded($0)) } }
                    continue
                }
                found[name] = scanner.decoded(try scanner.string(), limit: .max)
            }
            try scanner.expectEnd()
            return (found, version)
        }
    }

    /// `nil` where it is missing or empty.
    subscript(name: String) -> String? {
        guard let value = members[name], !value.isEmpty else { return nil }
        return value
    }

    /// Reads `AccessKeyId`, `SecretAccessKey`, `Token` and `Expiration`, as containers and instances are given them.
    /// - Parameter token: What the session token is called.
    func credentials(source: String, token: String = "Token") throws(CredentialError) -> Credentials {
        guard let id = self["AccessKeyId"], let secret = self["SecretAccessKey"] else {
            let reason = self["Message"] ?? self["message"] ?? "AccessKeyId or SecretAccessKey is missing in its answer"
            throw .refused(source: source, fault: Redaction(secrets: []).clean(reason))
        }
        var expiration: WallTime?
        if let text = self["Expiration"] {
            guard let time = WallTime(rfc3339: text) else {
                throw .unusable(source: source, fault: "Expiration is not a date and time")
            }
            expiration = time
        }
        return Credentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: self[token] ?? "",
            expiration: expiration,
            source: source
        )
    }
}
