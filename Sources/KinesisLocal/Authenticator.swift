// SPDX-License-Identifier: Apache-2.0
internal import Crypto

/// A key pair that requests must be signed with.
public struct AccessKey: Equatable, Sendable {
    public var id: String
    public var secret: String
    /// Where there is one, requests must bring it in `X-Amz-Security-Token`; else theirs is not looked at.
    public var sessionToken: String?

    public init(id: String, secret: String, sessionToken: String? = nil) {
        self.id = id
        self.secret = secret
        self.sessionToken = sessionToken
    }
}

/// Checks AWS Signature Version 4 of requests to the service `kinesis`, in any region, and refuses in the service's
/// words.
struct Authenticator {
    /// What of a request is signed.
    struct SignedRequest {
        let method: String
        /// Path and query as they came.
        let uri: String
        /// A header's value by its lower-case name; several of one name joined by commas.
        let header: (String) -> String?
        let payload: UnsafeRawBufferPointer
    }

    /// How far a signature's date may be from the server's clock, in seconds.
    static let skewSeconds: Int64 = 300

    var key: AccessKey { didSet { derived = nil } }
    /// The signing key of a day and region: four HMACs that most requests share.
    private var derived: (day: String, region: String, key: SymmetricKey)?

    init(key: AccessKey) { self.key = key }

    mutating func check(_ request: SignedRequest, clockSeconds: Int64) throws(APIError) {
        guard let authorization = request.header("authorization") else {
            throw APIError("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        let given = try Authorization(authorization, date: request.header("x-amz-date") ?? request.header("date"))
        guard given.accessKeyID == key.id,
            key.sessionToken.map({ request.header("x-amz-security-token") == $0 }) ?? true
        else {
            throw APIError("UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        guard given.service == "kinesis" else {
            throw Self.invalid("Credential should be scoped to correct service: 'kinesis'. ")
        }
        try Self.checkDate(given, clockSeconds: clockSeconds)
        guard given.signedHeaders.contains("host") else {
            throw Self.invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
        }
        let text =
            "AWS4-HMAC-SHA256\n\(given.date)\n\(given.day)/\(given.region)/kinesis/aws4_request\n"
            + Self.hex(SHA256.hash(data: Array(Self.canonical(request, given.signedHeaders).utf8)))
        let signature = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8),
            using: signingKey(day: given.day, region: given.region)
        )
        guard Self.hex(signature) == given.signature else {
            throw Self.invalid(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                    + "Access Key and signing method. Consult the service documentation for details."
            )
        }
    }

    private static func invalid(_ message: String) -> APIError { APIError("InvalidSignatureException", message) }

    private static func checkDate(_ given: Authorization, clockSeconds now: Int64) throws(APIError) {
        guard let signed = UTC.seconds(compact: given.date) else {
            throw APIError(
                "IncompleteSignatureException",
                "Date must be in ISO-8601 'basic format'. Got '\(given.date)'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        }
        guard given.date.hasPrefix(given.day) else {
            throw invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                    + "'\(given.day)' != '\(given.date.prefix(8))', from '\(given.date)'."
            )
        }
        let date = UTC.compact(seconds: now)
        if signed < now - skewSeconds {
            let limit = UTC.compact(seconds: now - skewSeconds)
            throw invalid("Signature expired: \(given.date) is now earlier than \(limit) (\(date) - 5 min.)")
        }
        if signed > now + skewSeconds {
            let limit = UTC.compact(seconds: now + skewSeconds)
            throw invalid("Signature not yet current: \(given.date) is still later than \(limit) (\(date) + 5 min.)")
        }
    }

    private mutating func signingKey(day: String, region: String) -> SymmetricKey {
        if let derived, derived.day == day, derived.region == region { return derived.key }
        var key = SymmetricKey(data: Array("AWS4\(key.secret)".utf8))
        for part in [day, region, "kinesis", "aws4_request"] {
            key = SymmetricKey(data: Array(HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key)))
        }
        derived = (day, region, key)
        return key
    }

    private static func canonical(_ request: SignedRequest, _ signedHeaders: [String]) -> String {
        let parts = request.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count > 1 ? parts[1].split(separator: "&").sorted().joined(separator: "&") : ""
        var text = "\(request.method)\n\(parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "/")\n\(query)\n"
        for name in signedHeaders {
            let value = (request.header(name) ?? "").split(separator: " ").joined(separator: " ")
            text += "\(name):\(value)\n"
        }
        var payload = SHA256()
        payload.update(bufferPointer: request.payload)
        return text + "\n\(signedHeaders.joined(separator: ";"))\n\(hex(payload.finalize()))"
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The parts of an `Authorization` header.
private struct Authorization {
    var accessKeyID = ""
    var day = ""
    var region = ""
    var service = ""
    var signedHeaders: [String] = []
    var signature = ""
    var date = ""

    init(_ header: String, date: String?) throws(APIError) {
        guard header.hasPrefix("AWS4-HMAC-SHA256") else {
            throw APIError(
                "IncompleteSignatureException",
                "Unsupported AWS 'algorithm': '\(header.prefix { $0 != " " })'."
            )
        }
        var values: [Substring: Substring] = [:]
        for part in header.dropFirst("AWS4-HMAC-SHA256".count).split(whereSeparator: { $0 == "," || $0 == " " }) {
            guard let equals = part.firstIndex(of: "=") else { continue }
            values[part[..<equals]] = part[part.index(after: equals)...]
        }
        var missing = ""
        for name in ["Credential", "Signature", "SignedHeaders"] where values[name[...]]?.isEmpty ?? true {
            missing += "Authorization header requires '\(name)' parameter. "
        }
        if date == nil {
            missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        }
        guard missing.isEmpty else {
            throw APIError("IncompleteSignatureException", missing + "Authorization=\(header.prefix { $0 != " " })")
        }
        let scope = (values["Credential"] ?? "").split(separator: "/", omittingEmptySubsequences: false)
        guard scope.count == 5, scope[4] == "aws4_request" else {
            throw APIError(
                "IncompleteSignatureException",
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
            )
        }
        accessKeyID = String(scope[0])
        day = String(scope[1])
        region = String(scope[2])
        service = String(scope[3])
        signedHeaders = (values["SignedHeaders"] ?? "").split(separator: ";").map(String.init)
        signature = String(values["Signature"] ?? "")
        self.date = date ?? ""
    }
}
