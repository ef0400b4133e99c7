// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// `PUT /{stream}` and `PUT /{stage}/{stream}` with `{"Data":…,"PartitionKey":…}`: answered once Kinesis has the event.
final class PutRequest: RequestShape {
    static let door = FrontDoor.put

    private static let members = Envelope.Names(
        data: "Data",
        partitionKey: "PartitionKey",
        explicitHashKey: "ExplicitHashKey",
        needsPartitionKey: true
    )

    private let envelope: EnvelopeRequest
    let bodyLimit: Int
    var awaitsDelivery: Bool { true }

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        guard let segments = request.segments, segments.count <= 2 else { return nil }
        try request.only(.put, "PUT")
        return try segments.name(at: segments.count - 1)
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        bodyLimit = rules.maxRequestBytes
        envelope = try EnvelopeRequest(request, stream: stream, rules)
    }

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        .events([try envelope.event(of: body, Self.members)])
    }

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        let id = ("Id", Reply.Value.number(outcome.first.rawValue))
        switch outcome.delivery(of: 0) {
        case nil:
            Reply.json([id, ("Status", .text("queued"))], 202, context, to: &buffer)
        case .delivered(let number, let shard):
            let members = [("SequenceNumber", Reply.Value.text(number)), ("ShardId", .text(shard))]
            Reply.json(members, 200, context, to: &buffer)
        case .deadLettered(let code, let reason):
            let members = [
                id, ("Status", .text("dead_lettered")), ("error", .text(code)), ("message", .text(reason)),
            ]
            Reply.json(members, 422, context, to: &buffer)
        case .dropped:
            let members = [
                id, ("Status", .text("dropped")), ("error", .text("dropped")), ("message", .text(Reply.dropped)),
            ]
            Reply.json(members, 422, context, to: &buffer)
        }
    }
}
