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
    private static let stopTime = TimeAmount.seconds(2)
    /// Of a handshake record (RFC 8446, section 5.1); no request begins so.
    private static let firstByteOfTLS: UInt8 = 0x16

    let loop: IngestLoop
    /// Where it came in. On the Unix socket lines may be spoken and any `Host` is fine.
    let door: Door
    /// One more than may be: it only learns that.
    let isSurplus: Bool
    /// A stream of a connection that speaks HTTP/2, which is the one that counts; it carries one request.
    let isStream: Bool
    /// Replies that are to be written; ``isFlushDue`` says when something was added.
    // Unchecked: see `HTTPConversation.exchanges`.
    @exclusivity(unchecked) var outbox = ByteBuffer()

    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    private var conversation: (any Conversation)?
    private var isReadWithheld = false
    private var isFlushDue = false
    private var socket: DirectSocket?
    /// What the channel still has to write, because the socket did not take it yet.
    private var backlog = 0
    private(set) var isWaitingToRead = false
    private var hasInputEnded = false
    /// Since when the client has not read its replies.
    private var unreadSince: NIODeadline?
    private var lastInput: NIODeadline

    /// What it holds of the loop's memory.
    private(set) var holding = 0
    /// Bytes that came in.
    private(set) var inputCount = 0
    /// The number of the read that was its last: who has the lowest one is silent for longest.
    private(set) var lastRead: UInt64
    /// ``inputCount`` when memory was short and it was looked at; `nil`: it was not, or held nothing then.
    var countWhenJudged: Int?

    init(loop: IngestLoop, door: Door, isSurplus: Bool, isStream: Bool = false) {
        self.loop = loop
        self.door = door
        self.isSurplus = isSurplus
        self.isStream = isStream
        lastInput = loop.now
        lastRead = loop.nextRead()
    }

    var isLocal: Bool { door == .unix }

    /// The address of the agent that the client connected to.
    var cameTo: SocketAddress? { context?.channel.localAddress }

    /// The client speaks HTTP/2, and began to with `greeting`.
    func speakHTTP2(_ greeting: ByteBuffer) {
        guard let context else { return }
        var greeting = greeting
        do {
            let conversation = HTTP2Conversation(self, context)
            try conversation.start()
            self.conversation = conversation
            conversation.received(&greeting)
        } catch {
            close()
        }
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
        account()
        loop.remove(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if case .closed = phase { return }
        channelInactive(context: context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        defer { loop.readBuffer.giveBack(buffer) }
        guard case .open = phase else { return }
        if inputCount == 0, buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == Self.firstByteOfTLS {
            loop.metTLS()
            return close()
        }
        if conversation == nil, let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) {
            conversation = first == UInt8(ascii: "{") ? LinesConversation(self) : HTTPConversation(self)
        }
        lastInput = loop.now
        lastRead = loop.nextRead()
        inputCount &+= buffer.readableBytes
        conversation?.received(&buffer)
        account()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        loop.flush()
        loop.relieve()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        hasInputEnded = true
        switch phase {
        case .open:
            if let conversation { conversation.inputEnded() } else { close() }
            account()
            loop.flush()
        case .lingering: close()
        case .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if backlog == 0 { wasRead() }
        } else if unreadSince == nil {
            unreadSince = loop.now
        }
        context.fireChannelWritabilityChanged()
    }

    /// The client took all that was written.
    private func wasRead() {
        unreadSince = nil
        conversation?.flushed()
        account()
        loop.flush()
        resumeReading()
    }

    /// Resets and the like: there is nobody left to tell.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead() { context.read() } else { isReadWithheld = true }
    }

    // MARK: Reading

    private func mayRead() -> Bool {
        switch phase {
        case .closed: return false
        case .lingering: return true
        case .open: break
        }
        if unreadSince != nil || isWaitingToRead { return false }
        guard let conversation else { return true }
        guard conversation.wantsInput else { return false }
        // What is not read here would pile up unseen; the connection is read when there is room for it.
        if isStream { return true }
        if loop.mayRead(self, isSmall: conversation.isSmall) { return true }
        isWaitingToRead = true
        return false
    }

    /// To be called when something that kept the connection from reading may be over.
    func resumeReading() {
        guard isReadWithheld, mayRead(), let context else { return }
        isReadWithheld = false
        context.read()
    }

    /// It waited to read, and may read once now.
    func readGranted() {
        isWaitingToRead = false
        guard case .open = phase, let context else { return }
        conversation?.mayReadOn()
        // Paid for in advance, so that not all who wait are let in for the same few bytes.
        hold(holding + ByteBudget<Connection>.smallBytes)
        guard isReadWithheld, unreadSince == nil else { return }
        isReadWithheld = false
        context.read()
    }

    /// - Returns: whether the connection is still there to use the bytes that it waited for.
    func roomGranted(_ bytes: Int) -> Bool {
        guard case .open = phase, let conversation else { return false }
        conversation.roomGranted(bytes)
        account()
        resumeReading()
        return true
    }

    /// The event loop has turned, which the conversation asked for.
    func goOn() {
        guard case .open = phase, let conversation else { return }
        conversation.goOn()
        account()
        loop.flush()
        resumeReading()
    }

    // MARK: Memory

    /// Tells the loop what it holds now.
    func account() {
        hold((conversation?.heldBytes ?? 0) + backlog)
    }

    private func hold(_ bytes: Int) {
        if bytes == holding { return }
        let change = bytes - holding
        holding = bytes
        if bytes == 0 { countWhenJudged = nil }
        loop.charge(change, to: self)
    }

    /// What of its input the agent has not read yet.
    var waitingInput: Int { socket?.unreadBytes ?? 0 }

    /// Whether all that it is waited for is there already: only the agent has not read it.
    var isWhollySent: Bool {
        conversation?.waitsForQueue == true || conversation?.missingBytes.map { $0 <= waitingInput } == true
    }

    var waitsForQueue: Bool { conversation?.waitsForQueue == true }

    var isSmall: Bool { conversation?.isSmall != false }

    /// Its memory is needed for others.
    func giveWay() {
        guard case .open = phase else { return }
        if let conversation, unreadSince == nil { conversation.giveWay() } else { close() }
        account()
    }

    // MARK: Writing and closing

    /// Whether the client leaves replies unread, so that more of them would only pile up.
    var isUnread: Bool { unreadSince != nil }

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
        let bytes = rest.readableBytes
        backlog += bytes
        if unreadSince == nil { unreadSince = loop.now }
        let written = loop.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.backlog -= bytes
            if self.backlog == 0, self.context?.channel.isWritable == true { self.wasRead() }
        }
        context.writeAndFlush(wrapOutboundOut(rest), promise: written)
        account()
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
        account()
    }

    /// Ends the connection at once.
    func close() { context?.close(promise: nil) }

    func drain() {
        guard case .open = phase else { return }
        if let conversation { conversation.drain() } else { close() }
    }

    /// Whether it may be closed for another client, because its own wants nothing just now.
    var isIdle: Bool {
        guard case .open = phase, backlog == 0, outbox.readableBytes == 0 else { return false }
        return conversation?.isIdle ?? true
    }

    /// Whether its client said nothing for a while, or read nothing, in the middle of something.
    var hasStopped: Bool { waitsForClient && !isIdle && loop.now - lastInput >= Self.stopTime }

    /// Whether it is its client's turn to say or to read something.
    var waitsForClient: Bool {
        guard case .open = phase else { return false }
        return isIdle || isUnread || (holding > 0 && !waitsForQueue)
    }

    func sweep(now: NIODeadline) {
        switch phase {
        case .closed: break
        case .lingering(let until): if now >= until { close() }
        case .open:
            if let unreadSince, now - unreadSince > loop.times.body { return close() }
            // It was to be told one thing, and does not ask.
            if isSurplus, now - lastInput > loop.times.head { return close() }
            if let conversation {
                conversation.sweep(now: now)
                return account()
            }
            if now - lastInput > loop.times.idle { close() }
        }
    }
}
