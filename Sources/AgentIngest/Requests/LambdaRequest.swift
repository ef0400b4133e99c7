// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// `POST /kinesis/stream/{stream}` with `{"event":…}`: an API that only knows the statuses 200, 400 and 500.
final class LambdaRequest: RequestShape {
    static let door = FrontDoor.lambda

    private static let members = Envelope.Names(
        data: "event",
        partitionKey: "partition_key",
        explicitHashKey: "explicit_hash_key"
    )

    private let envelope: EnvelopeRequest
    let bodyLimit: Int

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        guard let segments = request.segments, segments.count == 3, segments.has("kinesis", at: 0),
            segments.has("stream", at: 1)
        else { return nil }
        try request.only(.post, "POST")
        return try segments.name(at: 2)
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        bodyLimit = rules.maxRequestBytes
        envelope = try EnvelopeRequest(request, stream: stream, rules)
    }

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        .events([try envelope.event(of: body, Self.members)])
    }

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        Reply.accepted(outcome.count, first: outcome.first.rawValue, status: 200, context, to: &buffer)
    }

    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        let known = Refusal(
            refusal.isClients ? 400 : 500,
            refusal.code,
            refusal.message,
            retryAfter: refusal.retryAfter
        )
        Reply.refusal(known, context, to: &buffer)
    }
}
