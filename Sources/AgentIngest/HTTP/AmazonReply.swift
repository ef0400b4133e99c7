// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Replies in the form of Amazon's own APIs with JSON, which their SDKs understand.
enum AmazonReply {
    /// What an event's shard is called while it is only in the queue.
    static let bufferedShard = "buffered"

    /// SDKs go by the error's name, and send again after 500 and 503. They do not after 429 and 507, which they do not
    /// expect: so these are never said.
    static func refusal(_ refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        let (status, name) = error(refusal)
        var fields = [("x-amzn-ErrorType", name)]
        if let seconds = refusal.retryAfter { fields.append(("Retry-After", String(seconds))) }
        if let methods = refusal.allow { fields.append(("Allow", methods)) }
        if let codings = refusal.acceptEncoding { fields.append(("Accept-Encoding", codings)) }
        let members = [("__type", Reply.Value.text(name)), ("message", .text(refusal.message))]
        Reply.json(members, status, context, fields: fields, to: &buffer)
    }

    private static func error(_ refusal: Refusal) -> (status: Int, name: String) {
        switch refusal.status {
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
