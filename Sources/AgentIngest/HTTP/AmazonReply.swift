// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Replies in the form of Amazon's own APIs, which their SDKs understand.
enum AmazonReply {
    /// What an event's shard is called while it is only in the queue.
    static let bufferedShard = "buffered"

    /// What an operation of the Kinesis API answers.
    static func answer(
        _ body: [UInt8],
        _ contentType: StaticString,
        _ context: ReplyContext,
        to buffer: inout ByteBuffer
    ) {
        Reply.whole(body, contentType, 200, context, fields: [requestID()], to: &buffer)
    }

    /// A refusal in the form of the Kinesis API.
    static func refusal<Wire: AmazonWire>(
        _ refusal: Refusal,
        _ wire: Wire.Type,
        _ context: ReplyContext,
        to buffer: inout ByteBuffer
    ) {
        let (status, name) = error(refusal)
        var writer = Wire.Writer(capacity: 256)
        writer.beginObject()
        writer.member("__type", name)
        writer.member("message", refusal.message)
        writer.endObject()
        let fields = fields(refusal, name) + [requestID()]
        Reply.whole(writer.bytes, Wire.contentType, status, context, fields: fields, to: &buffer)
    }

    /// A refusal where JSON alone is spoken.
    static func refusal(_ refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        let (status, name) = error(refusal)
        let members = [("__type", Reply.Value.text(name)), ("message", .text(refusal.message))]
        Reply.json(members, status, context, fields: fields(refusal, name), to: &buffer)
    }

    private static func fields(_ refusal: Refusal, _ name: String) -> [(String, String)] {
        var fields = [("x-amzn-ErrorType", name)]
        if let seconds = refusal.retryAfter { fields.append(("Retry-After", String(seconds))) }
        if let methods = refusal.allow { fields.append(("Allow", methods)) }
        if let codings = refusal.acceptEncoding { fields.append(("Accept-Encoding", codings)) }
        return fields
    }

    /// A name for the request that clients put into their logs, in the form of a UUID.
    private static func requestID() -> (String, String) {
        let digits = Array("0123456789abcdef".utf8)
        var bits = UInt128(UInt64.random(in: 0 ... .max)) << 64 | UInt128(UInt64.random(in: 0 ... .max))
        let text = String(unsafeUninitializedCapacity: 36) { space in
            for i in 0..<36 {
                if i == 8 || i == 13 || i == 18 || i == 23 {
                    space[i] = UInt8(ascii: "-")
                } else {
                    space[i] = digits[Int(bits & 15)]
                    bits >>= 4
                }
            }
            return 36
        }
        return ("x-amzn-RequestId", text)
    }

    /// SDKs go by the error's name, and send again after 500 and 503. They do not after 429 and 507, which they do not
    /// expect: so these are never said.
    private static func error(_ refusal: Refusal) -> (status: Int, name: String) {
        if let name = refusal.exception { return (refusal.status, name) }
        return switch refusal.status {
        case 400 where refusal.code == "malformed_json": (400, "SerializationException")
        case 400 where refusal.code == "invalid_hash_key": (400, "InvalidArgumentException")
        case 404: (400, "ResourceNotFoundException")
        case 400, 413: (400, "ValidationException")
        case 401, 403: (refusal.status, "AccessDeniedException")
        case 408: (408, "RequestTimeout")
        case 429, 503, 507: (503, "ServiceUnavailable")
        case 501: (501, "UnsupportedOperationException")
        case 500...: (500, "InternalFailure")
        default: (refusal.status, "ValidationException")
        }
    }
}
