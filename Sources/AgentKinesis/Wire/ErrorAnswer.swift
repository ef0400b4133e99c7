// SPDX-License-Identifier: Apache-2.0

import AgentCore

/// What an answer with a status other than 200 says.
///
/// Kinesis names its error in the body's `__type`, with or without a `prefix#`, and often in the header
/// `x-amzn-errortype`, with or without a `:link` behind it; the text is in `message` or `Message`. What stands between
/// (load balancers, proxies, captive portals) answers with HTML, other JSON, or nothing, and without a request id.
struct ErrorAnswer {
    /// The error's name; empty where none was given.
    let code: String
    let message: String

    init(status: Int, errorType: String?, contentType: String?, body: [UInt8]) {
        let members = (try? Self.members(of: body)) ?? (type: nil, message: nil)
        let code = errorType.map(Self.name(in:)) ?? ""
        self.code = code.isEmpty ? members.type.map(Self.name(in:)) ?? "" : code
        if let message = members.message, !message.isEmpty {
            self.message = message
        } else if body.isEmpty {
            message = "HTTP \(status) without a body"
        } else {
            let excerpt = Self.excerpt(of: body)
            message = "HTTP \(status) with a body that is not Kinesis's (\(contentType ?? "no type given")): \(excerpt)"
        }
    }

    private static func members(of body: [UInt8]) throws(MalformedAnswer) -> (type: String?, message: String?) {
        try body.withUnsafeBufferPointer { (bytes) throws(MalformedAnswer) in
            var scanner = AnswerScanner(bytes)
            var found: (type: String?, message: String?) = (nil, nil)
            try scanner.expect("{")
            var first = true
            while try scanner.next(before: "}", first: &first) {
                let name = try scanner.memberName()
                let isText = scanner.peek() == UInt8(ascii: "\"")
                if isText, scanner.text(name, is: "__type") {
                    found.type = scanner.decoded(try scanner.string())
                } else if isText, scanner.text(name, is: "message") || scanner.text(name, is: "Message") {
                    found.message = scanner.decoded(try scanner.string())
                } else {
                    try scanner.skipValue()
                }
            }
            return found
        }
    }

    /// `ExpiredTokenException` of `com.amazon.coral.service#ExpiredTokenException:http://internal.amazon.com/`.
    ///
    /// Empty where it is no name: so nothing else that a server writes gets anywhere as a code.
    static func name(in text: String) -> String {
        let part = text.prefix { $0 != ":" }
        let name = part.lastIndex(of: "#").map { part[part.index(after: $0)...] } ?? part
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isName && name.utf8.count <= 128 ? String(name) : ""
    }

    /// The first printable characters, so that an operator recognizes the page that came instead.
    private static func excerpt(of body: [UInt8]) -> String {
        let text = body.prefix(160).map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: " ") }
        return String(decoding: text, as: UTF8.self)
    }
}
