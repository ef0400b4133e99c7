// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTP2

/// HTTP/2 without TLS, on a connection whose client begins with it because it knows that it may (RFC 9113,
/// section 3.3).
///
/// Each of its streams is a channel with a ``Connection`` of its own, which carries one request in the bytes of HTTP/1
/// (see ``HTTP2Stream``): so every rule, limit and time-out is the same as there, and what streams hold is charged to
/// them one by one. Streams are always read; where there is no room it is this connection that is not.
final class HTTP2Conversation: Conversation {
    /// Requests under way on a connection; its client keeps more than that to itself.
    static let maxStreams = 100
    /// Bytes of a head, by the count of RFC 9113, section 6.5.2.
    private static let maxHeadBytes = 16 << 10
    /// Bytes of bodies that a client may send ahead, for each stream and for all together.
    private static let window = 256 << 10
    /// What a stream holds by being there.
    private static let streamOverhead = 8 << 10
    /// What begins HTTP/2, before its first frame.
    private static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    let connection: Connection
    private let context: ChannelHandlerContext
    private var streams: [ObjectIdentifier: Connection] = [:]
    /// When it last had a stream.
    private var lastStream: NIODeadline
    /// No stream follows those that are there.
    private var isEnding = false

    init(_ connection: Connection, _ context: ChannelHandlerContext) {
        self.connection = connection
        self.context = context
        lastStream = connection.loop.now
    }

    /// Whether bytes, which are a request line at least, are the beginning of HTTP/2.
    static func isGreeting(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.prefix(preface.utf8.count).elementsEqual(preface.utf8.prefix(bytes.count))
    }

    /// Puts what speaks HTTP/2 behind the connection.
    func start() throws {
        var whole = NIOHTTP2Handler.ConnectionConfiguration()
        whole.targetWindowSize = Self.window
        whole.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: Self.maxStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.maxHeadBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: Self.window),
        ]
        var each = NIOHTTP2Handler.StreamConfiguration()
        each.targetWindowSize = Self.window
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        let pipeline = context.pipeline.syncOperations
        _ = try pipeline.configureHTTP2Pipeline(
            mode: .server,
            connectionConfiguration: whole,
            streamConfiguration: each
        ) { channel in
            channel.eventLoop.makeCompletedFuture { try here.value.add(channel) }
        }
        try pipeline.addHandler(HTTP2Faults())
    }

    // MARK: Streams

    private func add(_ channel: any Channel) throws {
        let stream = Connection(
            loop: connection.loop,
            door: connection.door,
            isSurplus: connection.isSurplus,
            isStream: true
        )
        try channel.pipeline.syncOperations.addHandlers([HTTP2Stream(of: self, stream), stream])
        streams[ObjectIdentifier(stream)] = stream
    }

    func ended(_ stream: Connection) {
        guard streams.removeValue(forKey: ObjectIdentifier(stream)) != nil else { return }
        lastStream = connection.loop.now
        if isEnding, streams.isEmpty { return connection.close() }
        connection.account()
    }

    // MARK: Conversation

    var wantsInput: Bool { true }
    var heldBytes: Int { streams.count * Self.streamOverhead }
    var isSmall: Bool { streams.values.allSatisfy(\.isSmall) }
    var missingBytes: Int? { nil }
    var isIdle: Bool { streams.isEmpty }
    var waitsForQueue: Bool { !streams.isEmpty && streams.values.allSatisfy(\.waitsForQueue) }

    func received(_ buffer: inout ByteBuffer) {
        // A copy: parts of frames are kept, and the memory is what the next connection is read into.
        let bytes = ByteBuffer(bytes: buffer.readableBytesView)
        buffer.moveReaderIndex(to: buffer.writerIndex)
        context.fireChannelRead(NIOAny(bytes))
        context.fireChannelReadComplete()
    }

    func inputEnded() { drain() }

    func flushed() {}
    func goOn() {}
    func mayReadOn() {}
    func roomGranted(_ bytes: Int) { connection.loop.release(bytes) }

    func giveWay() { connection.close() }

    func sweep(now: NIODeadline) {
        if streams.isEmpty, now - lastStream > connection.loop.times.idle { connection.close() }
    }

    /// The streams are drained by themselves.
    func drain() {
        if streams.isEmpty { return connection.close() }
        if isEnding { return }
        isEnding = true
        let farewell = HTTP2Frame.FramePayload.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        context.channel.writeAndFlush(HTTP2Frame(streamID: .rootStream, payload: farewell), promise: nil)
    }

    func lost() { context.fireChannelInactive() }
}

/// The end of a pipeline that speaks HTTP/2. What goes wrong with a stream ends the stream; all else ends the connection,
/// whose client was told by then.
private final class HTTP2Faults: ChannelInboundHandler {
    typealias InboundIn = Never

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is NIOHTTP2Errors.StreamError { return }
        context.close(promise: nil)
    }
}
