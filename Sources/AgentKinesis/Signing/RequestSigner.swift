// SPDX-License-Identifier: Apache-2.0

internal import Crypto

/// Signs POSTs as AWS Signature Version 4.
///
/// libcurl could, but not at another time than the machine's clock shows (it then sends `X-Amz-Date` twice), nor without
/// `Expect: 100-continue` on bodies above 1 MiB (7.88 signs the header that turns that off, which is never sent).
struct RequestSigner {
    private let service: String
    private let region: String
    private let credentials: Credentials
    /// The key of a day, which takes four rounds of HMAC to derive.
    private var dayKey: (day: String, key: SymmetricKey)?

    init(region: String, service: String, credentials: Credentials) {
        self.region = region
        self.service = service
        self.credentials = credentials
    }

    /// - Parameters:
    ///   - path: The path of the URL, as sent.
    ///   - headers: All headers to be signed, `host` and `x-amz-date` among them: lower-case names, in order.
    /// - Returns: The value of the Authorization header.
    mutating func authorization(
        path: String,
        headers: [(name: String, value: String)],
        body: UnsafeRawBufferPointer,
        timestamp: String
    ) -> String {
        let day = String(timestamp.prefix(8))
        var names = ""
        var request = "POST\n\(path)\n\n"
        for (name, value) in headers {
            request += name
            request += ":"
            request += value
            request += "\n"
            if !names.isEmpty { names += ";" }
            names += name
        }
        request += "\n"
        request += names
        request += "\n"
        request += Self.hex(Self.digest(body))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Self.hex(Self.digest(&request)))"
        let signature = Self.hex(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key(of: day)))
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(names), Signature=\(signature)"
    }

    private mutating func key(of day: String) -> SymmetricKey {
        if let dayKey, dayKey.day == day { return dayKey.key }
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretAccessKey)".utf8))
        for part in [day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        dayKey = (day, key)
        return key
    }

    private static func digest(_ bytes: UnsafeRawBufferPointer) -> SHA256.Digest {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hash.finalize()
    }

    private static func digest(_ text: inout String) -> SHA256.Digest {
        text.withUTF8 { digest(UnsafeRawBufferPointer($0)) }
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        String(unsafeUninitializedCapacity: 2 * SHA256.Digest.byteCount) { text in
            var count = 0
            for byte in bytes {
                text[count] = digit(byte >> 4)
                text[count + 1] = digit(byte & 15)
                count += 2
            }
            return count
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
