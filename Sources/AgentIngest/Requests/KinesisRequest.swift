// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// `POST /` with `X-Amz-Target`: the Kinesis API itself, as an AWS SDK speaks it whose endpoint is the agent.
///
/// Signatures are not checked, as whoever can reach the door may post.
final class KinesisRequest<Wire: AmazonWire>: RequestShape {
    private let operation: KinesisOperation
    /// Whether puts are answered once Kinesis has the records, with its own numbers.
    private let isAnsweredByKinesis: Bool
    let bodyLimit: Int

    static var door: FrontDoor { .kinesis }

    static func stream(of request: RequestView) throws(Refusal) -> String? {
        guard request.head.amazonTarget.isPresent, request.path.count <= 1 else { return nil }
        let isCBOR = AmazonCBOR.speaks(request.head.contentType.bytes(in: request.bytes))
        // What is in neither form is refused in the usual one.
        return isCBOR == (Wire.self == AmazonCBOR.self) ? "" : nil
    }

    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal) {
        try request.only(.post, "POST")
        guard Wire.speaks(request.head.contentType.bytes(in: request.bytes)) else {
            throw Refusal(415, "content_type", "Send application/x-amz-json-1.1 or application/x-amz-cbor-1.1.")
        }
        try request.refuseUnavailable()
        operation = try KinesisOperation(target: request.head.amazonTarget.bytes(in: request.bytes))
        isAnsweredByKinesis = operation.isPut && rules.kinesisAPI == .deliver
        bodyLimit = operation.isPut ? rules.maxRequestBytes : min(64 << 10, rules.maxRequestBytes)
    }

    var awaitsDelivery: Bool { isAnsweredByKinesis }
    var needsDelivery: Bool { isAnsweredByKinesis }

    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents {
        try body.block.withBytes { (bytes) throws(Refusal) -> BodyEvents in
            try Wire.withView(of: bytes) { (object) throws(Refusal) -> BodyEvents in
                switch operation {
                case .putRecord: return .events(try PutBody(object, body).event())
                case .putRecords: return try PutBody(object, body).events(atMost: limit)
                case .describeStream, .describeStreamSummary, .listShards, .listStreams:
                    let descriptions = try StreamDescriptions<Wire.View, Wire.Writer>(object, body.rules)
                    let answer = try descriptions.answer(to: operation)
                    return .answer { AmazonReply.answer(answer, Wire.contentType, $0, to: &$1) }
                }
            }
        }
    }

    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        do throws(Refusal) {
            let body =
                switch (isAnsweredByKinesis, operation) {
                case (false, _): PutAnswer<Wire.Writer>.buffered(outcome, operation)
                case (true, .putRecords): PutAnswer<Wire.Writer>.delivered(outcome)
                case (true, _): try PutAnswer<Wire.Writer>.deliveredRecord(outcome)
                }
            AmazonReply.answer(body, Wire.contentType, context, to: &buffer)
        } catch {
            Self.reply(to: error, context, to: &buffer)
        }
    }

    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        AmazonReply.refusal(refusal, Wire.self, context, to: &buffer)
    }
}
