// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

// The shapes of the proxy for Kinesis that Amazon's tutorial for API Gateway builds, with its mapping templates:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
// They are answered as PutRecord and PutRecords are, once the events are in the queue: with an event's id as its
// sequence number.

/// `PUT /streams/{stream}/record` with `{"Data":…,"PartitionKey":…}`. The event is the JSON text of `Data`, as that
/// template takes it (`$input.json`): a string keeps its quotes.
final class ProxyRecordRequest: RequestShape {
    static let door = FrontDoor.proxy

    private static let members = Envelope.Names(
        data: "Data",
        partitionKey: "PartitionKey",
        explicitHashKey: "ExplicitHashKey",
        needsPartitionKey: true
    )

    private let envelope: EnvelopeRequest
    let bodyLimit: Int

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        try request.proxiedStream("record")
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        try request.only(.put, "PUT")
        bodyLimit = rules.maxRequestBytes
        envelope = try EnvelopeRequest(request, stream: stream, rules)
    }

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        .events([try envelope.event(of: body, Self.members)])
    }

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        let members = [
            ("SequenceNumber", Reply.Value.text(String(outcome.first.rawValue))),
            ("ShardId", .text(AmazonReply.bufferedShard)),
        ]
        Reply.json(members, 200, context, to: &buffer)
    }

    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        AmazonReply.refusal(refusal, context, to: &buffer)
    }
}

/// `PUT /streams/{stream}/records` with `{"records":[{"data":…,"partition-key":…}]}`. The event is what that template
/// takes (`$elem.data`): of a string the text that it means, else the JSON text.
final class ProxyRecordsRequest: RequestShape {
    static let door = FrontDoor.proxy

    private static let members = Envelope.Names(
        data: "data",
        partitionKey: "partition-key",
        explicitHashKey: "explicit-hash-key",
        needsPartitionKey: true
    )

    private let envelope: EnvelopeRequest
    let bodyLimit: Int

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        try request.proxiedStream("records")
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        try request.only(.put, "PUT")
        bodyLimit = rules.maxRequestBytes
        envelope = try EnvelopeRequest(request, stream: stream, rules)
    }

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        try body.withJSON { (object) throws(Refusal) -> BodyEvents in
            var (records, region): (JSONView?, String?)
            var members = object.members
            while let (name, value) = members.next() {
                if name.isString("records") { records = value }
                if name.isString("region") { region = try Envelope.name(value, "region") }
            }
            guard let records, records.kind == .array else {
                throw Refusal(400, "missing_member", "The body has no array 'records'.")
            }
            var events: [NewEvent] = []
            var count = 0
            var elements = records.elements
            while let element = elements.next() {
                count += 1
                if count > min(KinesisLimits.recordsPerRequest, body.rules.maxEvents) { throw Self.tooMany(body.rules) }
                guard count <= limit else { continue }
                do throws(Refusal) {
                    events.append(
                        try envelope.event(of: element, in: body, Self.members, region: region, strings: .meant)
                    )
                } catch {
                    throw Refusal(error.status, error.code, "Record \(count): \(error.message)")
                }
            }
            if count == 0 { throw Refusal(400, "missing_member", "The array 'records' is empty.") }
            return count > limit ? .tooMany(count: count) : .events(events)
        }
    }

    /// PutRecords takes so many and no more, and clients that are written for it send no more.
    private static func tooMany(_ rules: RequestRules) -> Refusal {
        guard rules.maxEvents >= KinesisLimits.recordsPerRequest else { return .tooManyEvents }
        return Refusal(
            413,
            "too_many_events",
            "The request has more than \(KinesisLimits.recordsPerRequest) records. Send fewer at a time."
        )
    }

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        var body = Array(#"{"FailedRecordCount":0,"Records":["#.utf8)
        body.reserveCapacity(outcome.count * 64)
        for index in 0..<outcome.count {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            let number = outcome.id(of: index).rawValue
            body += #"{"SequenceNumber":"\#(number)","ShardId":"\#(AmazonReply.bufferedShard)"}"#.utf8
        }
        body += "]}".utf8
        Reply.json(body, 200, context, to: &buffer)
    }

    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        AmazonReply.refusal(refusal, context, to: &buffer)
    }
}

extension RequestView {
    /// The stream of `/streams/{stream}/{last}`.
    fileprivate func proxiedStream(_ last: StaticString) throws(Refusal) -> String? {
        guard let segments, segments.count == 3, segments.has("streams", at: 0), segments.has(last, at: 2)
        else { return nil }
        return try segments.name(at: 1)
    }
}
