// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// A connection: reads when there is room, gathers replies into one write, and ends in such a way that the last reply
/// arrives. Lives on its event loop.
final class Connection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case open
        /// The last reply is sent. What still comes is thrown away, because closing a socket with unread input
        /// resets the connection, and the reply with it.
        case lingering(until: NIODeadline)
        case closed
    }

    private static let lingerTime = TimeAmount.seconds(2)

    let loop: IngestLoop
    /// On the Unix socket, where lines may be spoken and any `Host` is fine.
    let isLocal: Bool
    /// One more than may be: it only learns that.
    let isSurplus: Bool
    /// Replies that are to be written; ``isFlushDue`` says when something was added.
    // Unchecked: see `HTTPConversation.exchanges`.
    @exclusivity(unchecked) var outbox = ByteBuffer()

    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    private var conversation: (any Conversation)?
    private var isReadWithheld = false
    private var isFlushDue = false
    private var socket: DirectSocket?
    /// Writes that the channel has, because the socket did not take them yet.
    private var backlog = 0
    private var isWaitingForRoom = false
    private var hasInputEnded = false
    /// Since when the client has not read its replies.
    private var unreadSince: NIODeadline?
    private var lastInput: NIODeadline

    init(loop: IngestLoop, isLocal: Bool, isSurplus: Bool) {
        self.loop = loop
        self.isLocal = isLocal
        self.isSurplus = isSurplus
        lastInput = loop.now
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        socket = DirectSocket(of: context)
        loop.add(self)
        lastInput = loop.now
        if !isLocal { conversation = HTTPConversation(self) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        self.context = nil
        socket = nil
        conversation?.lost()
        conversation = nil
        loop.remove(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if case .closed = phase { return }
        channelInactive(context: context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = phase else { return }
        var buffer = unwrapInboundIn(data)
        if conversation == nil, let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) {
            conversation = first == UInt8(ascii: "{") ? LinesConversation(self) : HTTPConversation(self)
        }
        lastInput = loop.now
        conversation?.received(&buffer)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        loop.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        hasInputEnded = true
        switch phase {
        case .open:
            if let conversation { conversation.inputEnded() } else { close() }
            loop.flush()
        case .lingering: close()
        case .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            unreadSince = nil
            conversation?.flushed()
            loop.flush()
            resumeReading()
        } else {
            unreadSince = loop.now
        }
    }

    /// Resets and the like: there is nobody left to tell.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead() { context.read() } else { isReadWithheld = true }
    }

    // MARK: Reading

    /// - Parameter isGranted: it waited for room, and that was granted just now.
    private func mayRead(isGranted: Bool = false) -> Bool {
        switch phase {
        case .closed: return false
        case .lingering: return true
        case .open: break
        }
        if unreadSince != nil || isWaitingForRoom { return false }
        guard let conversation else { return true }
        guard conversation.wantsInput else { return false }
        // One that has its turn must not ask again: it and others that do so too would pass the turn around for ever.
        guard loop.budget.isExhausted, !isGranted else { return true }
        switch conversation.need {
        case .reserved: return true
        case .begins: return reserve(0)
        case .grows: return reserve(0, grows: true)
        }
    }

    /// To be called when something that kept the connection from reading may be over.
    func resumeReading(isGranted: Bool = false) {
        guard isReadWithheld, mayRead(isGranted: isGranted), let context else { return }
        isReadWithheld = false
        context.read()
    }

    /// - Returns: whether the bytes are reserved now; otherwise the conversation hears of it.
    func reserve(_ bytes: Int, grows: Bool = false) -> Bool {
        isWaitingForRoom = !loop.reserve(bytes, for: self, grows: grows)
        return !isWaitingForRoom
    }

    /// - Returns: whether the connection is still there to use what it waited for.
    func roomGranted() -> Bool {
        isWaitingForRoom = false
        guard case .open = phase else { return false }
        conversation?.roomGranted()
        resumeReading(isGranted: true)
        return true
    }

    // MARK: Writing and closing

    /// Something was put into the outbox: it leaves with all others of this turn of the loop.
    func flushLater() {
        if isFlushDue { return }
        isFlushDue = true
        loop.unflushed.append(self)
    }

    func flushNow() {
        isFlushDue = false
        guard let context, outbox.readableBytes > 0 else { return }
        if let socket, backlog == 0, context.channel.isActive { socket.send(&outbox) }
        if outbox.readableBytes == 0, outbox.capacity <= 16 << 10 {
            outbox.clear()
        } else {
            // Writing can call back into here: what is being written is out of the way by then.
            let rest = outbox
            outbox = ByteBuffer()
            if rest.readableBytes > 0 { queue(rest, context) }
        }
        if unreadSince == nil { conversation?.flushed() }
    }

    private func queue(_ rest: ByteBuffer, _ context: ChannelHandlerContext) {
        backlog += 1
        let written = loop.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.backlog -= 1 }
        context.writeAndFlush(wrapOutboundOut(rest), promise: written)
    }

    /// Sends what is in the outbox, then ends the connection.
    func finish() {
        guard case .open = phase, let context else { return }
        if hasInputEnded {
            phase = .lingering(until: loop.now + Self.lingerTime)
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(outbox)).whenComplete { _ in channel.close(promise: nil) }
        } else {
            flushNow()
            phase = .lingering(until: loop.now + Self.lingerTime)
            context.close(mode: .output, promise: nil)
            resumeReading()
        }
        outbox = ByteBuffer()
        conversation?.lost()
        conversation = nil
    }

    /// Ends the connection at once.
    func close() { context?.close(promise: nil) }

    func drain() {
        guard case .open = phase else { return }
        if let conversation { conversation.drain() } else { close() }
    }

    func sweep(now: NIODeadline) {
        switch phase {
        case .closed: break
        case .lingering(let until): if now >= until { close() }
        case .open:
            if let unreadSince, now - unreadSince > loop.times.body { return close() }
            // It was to be told one thing, and does not ask.
            if isSurplus, now - lastInput > loop.times.head { return close() }
            if let conversation { return conversation.sweep(now: now) }
            if now - lastInput > loop.times.idle { close() }
        }
    }
}
