// SPDX-License-Identifier: Apache-2.0

internal import Glibc

// What settings name outside of their file. None of it keeps the agent from taking events, so it is refused by
// --check-config and only warned of at a start.

extension Settings {
    /// What is wrong with the files that the settings name; `file` is what faults call the settings' own.
    public func outsideFaults(file: String) -> [SettingsFault] {
        guard !aws.caFile.isEmpty, let fault = Self.fault(ofCertificates: aws.caFile) else { return [] }
        return [SettingsFault(file: file, place: nil, message: "aws.ca_file \(aws.caFile) \(fault)")]
    }

    /// Endpoints to which requests would cross a network unencrypted.
    var plainEndpoints: [String] {
        let endpoints = Set(stream.map(\.endpoint) + [aws.endpoint])
        return endpoints.filter { $0.hasPrefix("http://") && !Self.isLoopback($0.dropFirst("http://".count)) }.sorted()
    }

    /// `HTTP_PROXY` in capitals is not taken, as a client of a web server could set it there (CVE-2016-5385): libcurl,
    /// which makes the requests, reads it in small letters alone. It matters for `http://` endpoints only.
    func isProxyPassedOver(_ environment: (String) -> String?) -> Bool {
        let isPlain = (stream.map(\.endpoint) + [aws.endpoint]).contains { $0.hasPrefix("http://") }
        return isPlain && environment("HTTP_PROXY") != nil && environment("http_proxy") == nil
    }

    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[") { return authority.hasPrefix("[::1]") }
        let host = authority.prefix { $0 != ":" }.lowercased()
        let isAddress = host.utf8.allSatisfy {
            $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        return host == "localhost" || host.hasSuffix(".localhost") || host.hasPrefix("127.") && isAddress
    }

    private static let largestCertificateFile = 16 << 20

    private static func fault(ofCertificates path: String) -> String? {
        // A FIFO would block until somebody writes to it.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { return "cannot be opened: \(String(cString: strerror(errno)))" }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return "is not a regular file" }
        guard status.st_size <= largestCertificateFile else { return "is too large for a file of certificates" }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return "cannot be read: \(String(cString: strerror(errno)))" }
            if got == 0 { break }
            count += got
        }
        let marks = ["-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----"]
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return marks.contains { text.contains($0) } ? nil : "holds no certificate in PEM form"
    }
}
