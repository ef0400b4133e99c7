// SPDX-License-Identifier: Apache-2.0

/// Signs a POST as AWS Signature Version 4, for the one case where libcurl cannot: at another time than the machine's
/// clock shows. libcurl 7.88 sends an `X-Amz-Date` that it was given twice, and a verifier that joins repeated headers,
/// as the standard says, then computes another signature.
struct RequestSigner {
    let region: String
    let service: String
    let credentials: Credentials

    /// - Parameters:
    ///   - path: The path of the URL, as sent.
    ///   - headers: All headers to be signed, `host` and `x-amz-date` among them: lower-case names, in order.
    /// - Returns: The value of the Authorization header.
    func authorization(
        path: String,
        headers: [(name: String, value: String)],
        body: UnsafeRawBufferPointer,
        time: WallTime
    ) -> String {
        let timestamp = time.basicISO8601
        let day = String(timestamp.prefix(8))
        let names = headers.map(\.name).joined(separator: ";")
        let lines = headers.map { "\($0.name):\($0.value)\n" }.joined()
        let request = "POST\n\(path)\n\n\(lines)\n\(names)\n\(Self.hex(SHA256.digest(body)))"
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Self.hex(SHA256.digest(Array(request.utf8))))"
        var key = Array("AWS4\(credentials.secretAccessKey)".utf8)
        for part in [day, region, service, "aws4_request"] { key = SHA256.hmac(key: key, part) }
        let signature = Self.hex(SHA256.hmac(key: key, text))
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(names), Signature=\(signature)"
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
