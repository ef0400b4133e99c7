// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHPACK

/// Puts a request that came as fields and parts of a body into the bytes of HTTP/1.1.
struct HTTP1Request {
    private enum Body {
        /// The head has not come yet.
        case unknown
        /// The client said how long it is, and is held to it.
        case counted
        case chunked
    }

    private var body = Body.unknown
    /// The reply to it has no body, whatever its head says.
    private(set) var isForHeadAlone = false

    /// Takes the head, or what follows the body.
    ///
    /// - Parameter isLast: no body follows.
    /// - Returns: whether it can be said in HTTP/1.
    mutating func take(_ fields: HPACKHeaders, isLast: Bool, into bytes: inout ByteBuffer) -> Bool {
        guard case .unknown = body else {
            // Trailers say nothing that counts here.
            take(ByteBuffer(), isLast: isLast, into: &bytes)
            return true
        }
        var (method, path, authority) = ("", "", "")
        for (name, value, _) in fields {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case ":authority": authority = value
            default: break
            }
        }
        guard !method.isEmpty, method.utf8.allSatisfy(FieldBytes.isToken) else { return false }
        guard Self.isWord(path), authority.isEmpty || Self.isWord(authority) else { return false }
        isForHeadAlone = method == "HEAD"
        bytes.writeString("\(method) \(path) HTTP/1.1\r\n")
        if !authority.isEmpty { bytes.writeString("host: \(authority)\r\n") }
        var isCounted = false
        for (name, value, _) in fields where !name.utf8.starts(with: ":".utf8) {
            guard !name.isEmpty, name.utf8.allSatisfy(FieldBytes.isToken), Self.isValue(value) else { return false }
            switch name {
            case "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection": return false
            // The same thing said twice (RFC 9113, section 8.3.1).
            case "host" where value == authority: continue
            case "content-length": isCounted = true
            default: break
            }
            bytes.writeString("\(name): \(value)\r\n")
        }
        body = isCounted || isLast ? .counted : .chunked
        if !isCounted, isLast, method != "GET", method != "HEAD" { bytes.writeStaticString("content-length: 0\r\n") }
        if case .chunked = body { bytes.writeStaticString("transfer-encoding: chunked\r\n") }
        bytes.writeStaticString("\r\n")
        return true
    }

    /// Takes a part of the body.
    mutating func take(_ part: ByteBuffer, isLast: Bool, into bytes: inout ByteBuffer) {
        guard case .chunked = body else {
            bytes.writeImmutableBuffer(part)
            return
        }
        if part.readableBytes > 0 {
            bytes.writeString(String(part.readableBytes, radix: 16) + "\r\n")
            bytes.writeImmutableBuffer(part)
            bytes.writeStaticString("\r\n")
        }
        if isLast { bytes.writeStaticString("0\r\n\r\n") }
    }

    /// Whether it can stand in a request line, between spaces.
    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
    }

    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
    }
}

/// The head of a reply that was written in the bytes of HTTP/1.1.
struct HTTP1Reply {
    /// As HTTP/2 has them.
    private(set) var fields = HPACKHeaders()
    private(set) var bodyLength = 0
    /// Another head follows it.
    private(set) var isInterim = false

    /// Takes it from the front of `bytes`; `nil`, and nothing is taken: it is not whole.
    init?(takenFrom bytes: inout ByteBuffer) {
        let end = bytes.withUnsafeReadableBytes { all -> Int? in
            var at = 0
            while at + 4 <= all.count {
                if all[at] == 13, all[at + 1] == 10, all[at + 2] == 13, all[at + 3] == 10 { return at }
                at += 1
            }
            return nil
        }
        guard let end, let text = bytes.readString(length: end) else { return nil }
        bytes.moveReaderIndex(forwardBy: 4)
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)[...]
        // HTTP/1.1 200 OK
        let status = lines.popFirst()?.dropFirst(9).prefix(3) ?? "500"
        fields.add(name: ":status", value: String(status))
        isInterim = status.first == "1"
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            switch name {
            case "connection", "keep-alive": continue
            case "content-length": bodyLength = Int(value) ?? 0
            default: break
            }
            fields.add(name: name, value: String(value))
        }
    }
}
