// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Glibc

/// What the texts of a configuration file may be. Each function returns the value to use, or `nil`.
enum SettingText {
    /// A path has at most PATH_MAX bytes with its zero, each name NAME_MAX: limits.h of Linux.
    static func path(_ text: String) -> String? {
        guard text.utf8.first == slash, text.utf8.last != slash, text.utf8.count <= 4095 else { return nil }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        return text.utf8.split(separator: slash).allSatisfy { $0.count <= 255 } ? text : nil
    }

    /// A file that has others beside it, whose names begin with its own and have up to 64 bytes more.
    static func pathOfQueue(_ text: String) -> String? {
        guard let path = path(text), path.utf8.count <= 4095 - 64 else { return nil }
        return path.utf8.split(separator: slash).last.map { $0.count <= 255 - 64 } == true ? path : nil
    }

    static func pathOrNone(_ text: String) -> String? { text.isEmpty ? text : path(text) }

    /// A Unix socket's path; `sun_path` holds 107 bytes and a zero.
    static func socket(_ text: String) -> String? { text.utf8.count <= 107 ? path(text) : nil }

    static func socketOrNone(_ text: String) -> String? { text.isEmpty ? text : socket(text) }

    static func word(_ text: String) -> String? {
        text.utf8.count <= 256 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } ? text : nil
    }

    static func region(_ text: String) -> String? { Region.isWellFormed(text) ? text : nil }

    static func regionOrNone(_ text: String) -> String? { text.isEmpty ? text : region(text) }

    static func streamName(_ text: String) -> String? { KinesisLimits.isStreamName(text) ? text : nil }

    /// The empty text is no stream: `.some(nil)`.
    static func streamOrNone(_ text: String) -> StreamReference?? {
        if text.isEmpty { return .some(nil) }
        guard let stream = StreamReference(text) else { return nil }
        return stream
    }

    static func pointer(_ text: String) -> String? { JSONPointer(text) == nil ? nil : text }

    /// `http://host:port` or `https://host:port`; no user, path, query or fragment.
    static func endpoint(_ text: String) -> String? {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let authority = text.dropFirst(scheme.count)
            let trimmed = authority.last == "/" ? authority.dropLast() : authority
            guard let (host, port) = hostAndPort(String(trimmed)), isHost(host) || isIPv6(host) else { return nil }
            guard port.map({ (1...65535).contains($0) }) ?? true else { return nil }
            return scheme + trimmed
        }
        return nil
    }

    static func endpointOrNone(_ text: String) -> String? { text.isEmpty ? text : endpoint(text) }

    static func origin(_ text: String) -> String? { text.last == "/" ? nil : endpoint(text)?.lowercased() }

    static func hostName(_ text: String) -> String? { isHost(text) || isIPv6(text) ? text.lowercased() : nil }

    /// An address and port; the empty text is no address: `.some(nil)`.
    static func listenAddress(_ text: String) -> ListenAddress?? {
        if text.isEmpty { return .some(nil) }
        guard case (let host, let port?)? = hostAndPort(text), (0...65535).contains(port) else { return nil }
        guard host == "localhost" || isIPv4(host) || isIPv6(host) else { return nil }
        return ListenAddress(host: host, port: port)
    }

    private static let hyphen = UInt8(ascii: "-")
    private static let slash = UInt8(ascii: "/")

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// `host`, `host:port`, `[v6]` or `[v6]:port`; what an IPv6 address had around it is gone from the host.
    private static func hostAndPort(_ text: String) -> (host: String, port: Int?)? {
        var host = text[...]
        var rest = Substring()
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            guard isIPv6(String(host)) else { return nil }
            rest = text[text.index(after: close)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            rest = text[colon...]
        }
        if rest.isEmpty { return (String(host), nil) }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.utf8.count), let port = Int(digits), digits.first != "+",
            digits.first != "-"
        else { return nil }
        return (String(host), port)
    }

    private static func isHost(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.utf8.first != hyphen && label.utf8.last != hyphen
                    && label.lowercased().utf8.allSatisfy {
                        isLowerOrDigit($0) || $0 == hyphen || $0 == UInt8(ascii: "_")
                    }
            }
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }
}
