// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// How a reply ends its exchange.
struct ReplyMode {
    /// The connection is closed behind it.
    var closes = false
    /// A client of HTTP/1.0 asked for the connection to stay.
    var saysKeepAlive = false
    /// To HEAD: all but the body.
    var omitsBody = false
    /// The web page's origin that asks, which is allowed to.
    var origin = AllowedOrigin.none
}

/// What the head of a reply has beside what the reply itself says.
struct ReplyContext {
    let mode: ReplyMode
    /// The `Date` field, with its line end.
    let date: String
    /// What lets a web page read the reply: fields, each with its line end; mostly none.
    let fields: String
}

/// Replies, as the bytes they are sent as.
enum Reply {
    /// Why an event is gone that no fault kept from being delivered.
    static let dropped = "The event was removed by queue.max_age or queue.when_full before it was delivered."

    static let continuation: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// That events are kept: `first` and the ones that follow it.
    static func accepted(_ count: Int, first: Int64, status: Int, _ context: ReplyContext, to buffer: inout ByteBuffer)
    {
        let last = first + Int64(count) - 1
        // {"accepted":N,"first_id":I,"last_id":J}
        let length = 36 + digits(Int64(count)) + digits(first) + digits(last)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 384 + context.fields.utf8.count) { space in
            var writer = ByteWriter(space)
            writer.put(status == 202 ? "HTTP/1.1 202 Accepted\r\n" : "HTTP/1.1 200 OK\r\n")
            if context.mode.closes { writer.put("Connection: close\r\n") }
            if context.mode.saysKeepAlive, !context.mode.closes { writer.put("Connection: keep-alive\r\n") }
            writer.put(context.date)
            if !context.fields.isEmpty { writer.put(context.fields) }
            writer.put("Content-Type: application/json\r\nContent-Length: ")
            writer.put(Int64(length))
            writer.put("\r\n\r\n{\"accepted\":")
            writer.put(Int64(count))
            writer.put(",\"first_id\":")
            writer.put(first)
            writer.put(",\"last_id\":")
            writer.put(last)
            writer.put("}")
            return writer.count
        }
    }

    static func refusal(_ refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        var fields: [(String, String)] = []
        if let seconds = refusal.retryAfter { fields.append(("Retry-After", String(seconds))) }
        if let methods = refusal.allow { fields.append(("Allow", methods)) }
        if let codings = refusal.acceptEncoding { fields.append(("Accept-Encoding", codings)) }
        let members = [("error", Value.text(refusal.code)), ("message", .text(refusal.message))]
        json(members, refusal.status, context, fields: fields, to: &buffer)
    }

    /// What a browser asks before it sends what a page of another origin wants sent (Fetch, "CORS-preflight fetch").
    static func preflight(_ preflight: Preflight, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 204 No Content\r\n")
        if context.mode.closes { buffer.writeStaticString("Connection: close\r\n") }
        buffer.writeString(context.date)
        buffer.writeString(context.fields)
        buffer.writeStaticString("Access-Control-Allow-Methods: GET, HEAD, POST, PUT\r\n")
        if let fields = preflight.fields { buffer.writeString("Access-Control-Allow-Headers: \(fields)\r\n") }
        if preflight.isForPrivateNetwork {
            buffer.writeStaticString("Access-Control-Allow-Private-Network: true\r\n")
        }
        buffer.writeStaticString("Access-Control-Max-Age: 600\r\n")
        buffer.writeStaticString("Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n\r\n")
    }

    enum Value {
        case text(String)
        case number(Int64)
    }

    static func json(
        _ members: [(String, Value)],
        _ status: Int,
        _ context: ReplyContext,
        fields: [(String, String)] = [],
        to buffer: inout ByteBuffer
    ) {
        json(object(members), status, context, fields: fields, to: &buffer)
    }

    /// - Parameter body: JSON.
    static func json(
        _ body: [UInt8],
        _ status: Int,
        _ context: ReplyContext,
        fields: [(String, String)] = [],
        to buffer: inout ByteBuffer
    ) {
        whole(body, "application/json", status, context, fields: fields, to: &buffer)
    }

    /// - Parameter fields: plain ASCII.
    static func whole(
        _ body: [UInt8],
        _ contentType: StaticString,
        _ status: Int,
        _ context: ReplyContext,
        fields: [(String, String)] = [],
        to buffer: inout ByteBuffer
    ) {
        buffer.writeString("HTTP/1.1 \(status) \(phrase(status))\r\n")
        if context.mode.closes { buffer.writeStaticString("Connection: close\r\n") }
        if context.mode.saysKeepAlive, !context.mode.closes { buffer.writeStaticString("Connection: keep-alive\r\n") }
        buffer.writeString(context.date)
        buffer.writeString(context.fields)
        for (name, value) in fields { buffer.writeString("\(name): \(value)\r\n") }
        buffer.writeString("Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n\r\n")
        if !context.mode.omitsBody { buffer.writeBytes(body) }
    }

    /// A JSON object, on one line.
    static func object(_ members: [(String, Value)]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (name, value) in members {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            JSONString.append(name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            switch value {
            case .text(let text): JSONString.append(text, to: &bytes)
            case .number(let number): bytes.append(contentsOf: String(number).utf8)
            }
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func digits(_ number: Int64) -> Int {
        var (count, rest) = (1, number / 10)
        while rest > 0 { (count, rest) = (count + 1, rest / 10) }
        return count
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 202: "Accepted"
        case 204: "No Content"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: status < 500 ? "Bad Request" : "Internal Server Error"
        }
    }
}

/// Fills memory that is known to be large enough; traps where it is not.
private struct ByteWriter {
    private let space: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) { self.space = space }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        let length = text.utf8CodeUnitCount
        UnsafeMutableRawBufferPointer(rebasing: space[count..<count + length])
            .copyMemory(from: UnsafeRawBufferPointer(start: text.utf8Start, count: length))
        count &+= length
    }

    @inline(__always)
    mutating func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            UnsafeMutableRawBufferPointer(rebasing: space[count..<count + bytes.count])
                .copyMemory(from: UnsafeRawBufferPointer(bytes))
            count &+= bytes.count
        }
    }

    /// A number that is not negative.
    @inline(__always)
    mutating func put(_ number: Int64) {
        var rest = UInt64(number)
        var length = 1
        var power: UInt64 = 10
        while length < 19, rest >= power {
            length &+= 1
            power &*= 10
        }
        var at = count &+ length
        count = at
        repeat {
            at &-= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            space[at] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest > 0
    }
}
