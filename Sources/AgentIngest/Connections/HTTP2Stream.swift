// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// Between a stream of HTTP/2 and its ``Connection``: gives it the request in the bytes of HTTP/1, and sends the reply
/// that it writes in the frames of HTTP/2.
///
/// Nothing that the client sends can end a line where it should not: names and values with such bytes are refused here,
/// for the whole stream.
final class HTTP2Stream: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// What is expected of the reply.
    private enum Awaited {
        case head
        /// So many bytes of its body.
        case body(Int)
        case nothing
    }

    private let conversation: HTTP2Conversation
    private let connection: Connection
    private var request = HTTP1Request()
    private var isRequestWhole = false
    private var awaited = Awaited.head
    private var reply = ByteBuffer()

    init(of conversation: HTTP2Conversation, _ connection: Connection) {
        self.conversation = conversation
        self.connection = connection
    }

    func channelInactive(context: ChannelHandlerContext) {
        conversation.ended(connection)
        context.fireChannelInactive()
    }

    // MARK: The request

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = ByteBuffer()
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            isRequestWhole = frame.endStream
            guard request.take(frame.headers, isLast: frame.endStream, into: &bytes) else { return refuse(context) }
        case .data(let frame):
            isRequestWhole = frame.endStream
            guard case .byteBuffer(let part) = frame.data else { return refuse(context) }
            request.take(part, isLast: frame.endStream, into: &bytes)
        default: return
        }
        if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        awaited = .nothing
        reset(context, .protocolError)
    }

    private func reset(_ context: ChannelHandlerContext, _ code: HTTP2ErrorCode) {
        context.writeAndFlush(wrapOutboundOut(.rstStream(code)), promise: nil)
    }

    // MARK: The reply

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = unwrapOutboundIn(data)
        reply.writeBuffer(&bytes)
        var frames: [HTTP2Frame.FramePayload] = []
        while let frame = nextFrame() { frames.append(frame) }
        guard let last = frames.popLast() else {
            promise?.succeed()
            return
        }
        for frame in frames { context.write(wrapOutboundOut(frame), promise: nil) }
        let written = promise ?? context.eventLoop.makePromise()
        context.write(wrapOutboundOut(last), promise: written)
        guard case .nothing = awaited, !isRequestWhole else { return }
        // The rest of the body is of no use to anybody (RFC 9113, section 8.1). Not said before the reply has left, which
        // waits for the client's windows, and which a reset would overtake.
        let here = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (stream, context) = here.value
            if context.channel.isActive, !stream.isRequestWhole { stream.reset(context, .noError) }
        }
    }

    private func nextFrame() -> HTTP2Frame.FramePayload? {
        switch awaited {
        case .nothing: return nil
        case .head:
            guard let head = HTTP1Reply(takenFrom: &reply) else { return nil }
            // 100: the reply itself is still to come.
            if head.isInterim { return .headers(.init(headers: head.fields)) }
            let length = request.isForHeadAlone ? 0 : head.bodyLength
            awaited = length > 0 ? .body(length) : .nothing
            return .headers(.init(headers: head.fields, endStream: length == 0))
        case .body(let missing):
            guard let part = reply.readSlice(length: min(missing, reply.readableBytes)), part.readableBytes > 0
            else { return nil }
            awaited = part.readableBytes < missing ? .body(missing - part.readableBytes) : .nothing
            return .data(.init(data: .byteBuffer(part), endStream: part.readableBytes == missing))
        }
    }

    /// The reply said that it is the last one, as every reply here is: the stream ends with it by itself.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
}
