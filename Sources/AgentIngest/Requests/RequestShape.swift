// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// One way in which clients send events: how such a request is known, which events its body has, and how it is
/// answered.
///
/// An instance is one request. It is made of the head, which is gone afterwards, and kept until the request is answered.
/// A new shape is a file with its type, and its line in ``RequestShapes``.
protocol RequestShape: AnyObject, SendableMetatype {
    /// What its requests are counted as.
    static var door: FrontDoor { get }

    /// The stream that the path names, or an empty one where only the body does; `nil`: the request is of another shape.
    ///
    /// - Throws: where the path is this shape's, and nothing else of the request is.
    static func stream(of request: RequestView) throws(Refusal) -> String?

    /// - Parameter stream: what ``stream(of:)`` gave.
    init(_ request: RequestView, stream: String, _ rules: RequestRules) throws(Refusal)

    /// The longest body that can be of use.
    var bodyLimit: Int { get }
    /// Whether the client wants to hear what became of the events in Kinesis.
    var awaitsDelivery: Bool { get }
    /// For how long; `nil`: as `listen.put_wait` says.
    var waitTime: TimeAmount? { get }
    /// Whether a request whose events cannot be waited for is refused, instead of being answered at once.
    var needsDelivery: Bool { get }

    /// Makes the events of a body that is whole.
    ///
    /// - Parameter limit: at least 1; where the body has more events, they are only counted.
    func events(of body: RequestBody, atMost limit: Int) throws(Refusal) -> BodyEvents

    /// Answers a request whose events are kept.
    func reply(to outcome: StoredEvents, _ context: ReplyContext, to buffer: inout ByteBuffer)

    /// Answers a request of which nothing is kept.
    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer)
}

extension RequestShape {
    static var door: FrontDoor { .other }

    var awaitsDelivery: Bool { false }
    var waitTime: TimeAmount? { nil }
    var needsDelivery: Bool { false }

    static func reply(to refusal: Refusal, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        Reply.refusal(refusal, context, to: &buffer)
    }
}

/// What a body holds.
enum BodyEvents {
    case events([NewEvent])
    /// No events, but a question that is answered at once.
    case answer((ReplyContext, inout ByteBuffer) -> Void)
    /// More than were asked for: so many.
    case tooMany(count: Int)
}

/// The shapes that are understood.
enum RequestShapes {
    /// In the order in which they are asked: the one of nearly every request first, and last the one whose path may be
    /// nearly anything.
    private static let all: [any RequestShape.Type] = [
        EventsRequest.self,
        LambdaRequest.self,
        KinesisRequest<AmazonJSON>.self, KinesisRequest<AmazonCBOR>.self,
        ProxyRecordRequest.self, ProxyRecordsRequest.self,
        PutRequest.self,
    ]

    /// Which shape the request has, and the stream in its path.
    static func find(_ request: RequestView) throws(Refusal) -> (shape: any RequestShape.Type, stream: String) {
        for shape in all {
            if let stream = try shape.stream(of: request) { return (shape, stream) }
        }
        throw Refusal(
            404,
            "not_found",
            "There is nothing at this path. Post events to /v1/streams/{stream}/events."
        )
    }
}
