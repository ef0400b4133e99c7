// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Glibc
internal import NIOCore
internal import NIOHTTP1

extension Moment {
    static func now() -> Moment {
        var monotonic = timespec()
        var wall = timespec()
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        clock_gettime(CLOCK_REALTIME, &wall)
        return Moment(
            monotonic: Instant(nanoseconds: Int64(monotonic.tv_sec) * 1_000_000_000 + Int64(monotonic.tv_nsec)),
            wallMS: Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000
        )
    }
}

/// One connection: collects a request, asks the service, sends what it says in the way it says.
final class HTTPHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// 10 MiB of records in base64, 500 keys of 256 characters written as escapes, and their members' names.
    static let bodyBytes = 20 << 20

    /// How long a client may go on sending what is not read any more: closed at once, it might not see the answer.
    private static let lingering = TimeAmount.seconds(2)

    private let service: KinesisService
    private let dates: DateHeader
    private let outage: (TimeAmount, any Channel) -> Void
    private let faultsChanged: () -> Void
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    /// How fast the body may come in, in bytes a second, and since when it does.
    private var slowly: (rate: Int, since: Instant)?
    /// A request that is answered before its body is read.
    private var unread: (isAnswered: Bool, hasEnded: Bool)?

    /// - Parameters:
    ///   - outage: Takes the server away for so long, but for the one who asked.
    ///   - faultsChanged: Called after each request of the control API.
    init(
        service: KinesisService,
        dates: DateHeader,
        outage: @escaping (TimeAmount, any Channel) -> Void,
        faultsChanged: @escaping () -> Void
    ) {
        self.service = service
        self.dates = dates
        self.outage = outage
        self.faultsChanged = faultsChanged
    }

    func channelActive(context: ChannelHandlerContext) {
        service.statistics.connectionsOpen += 1
        service.statistics.connectionsTotal += 1
        if !service.faults.isEmpty, service.faults.refusesConnection(now: Moment.now().monotonic) {
            service.statistics.connectionsRefused += 1
            context.channel.reset()
            return
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        service.statistics.connectionsOpen -= 1
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(var part):
            guard head != nil else { return }
            guard body.readableBytes + part.readableBytes <= Self.bodyBytes else {
                head = nil
                finish(Reply(status: 413, body: []), keepAlive: false, context)
                return
            }
            body.writeBuffer(&part)
        case .end:
            if unread != nil { endUnread(context) { $0.hasEnded = true } }
            guard let head else { return }
            self.head = nil
            guard let wait = slowReadingIsDue() else {
                carryOut(head, context)
                return
            }
            context.eventLoop.assumeIsolated().scheduleTask(in: wait) {
                self.endSlowReading(context)
                self.carryOut(head, context)
            }
        }
    }

    private func carryOut(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let reply = answer(head)
        if let ms = reply.outageMS { outage(.milliseconds(ms), context.channel) }
        finish(reply, keepAlive: head.isKeepAlive && reply.outageMS == nil, context)
        if body.capacity > 1 << 20 { body = ByteBuffer() }
        if head.uri.hasPrefix(ControlAPI.prefix) { faultsChanged() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if head != nil, let wait = slowReadingIsDue() {
            context.eventLoop.assumeIsolated().scheduleTask(in: wait) { context.read() }
        }
        context.fireChannelReadComplete()
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        body.clear()
        self.head = head
        if let length = head.headers.first(name: "content-length").flatMap(Int.init), length <= Self.bodyBytes {
            body.reserveCapacity(length)
        }
        if !service.faults.isEmpty, !head.uri.hasPrefix(ControlAPI.prefix) {
            switch service.faults.headArrived(Self.view(head), now: Moment.now().monotonic) {
            case .none: break
            case .reset:
                service.statistics.spoiledAnswers["reset_unread", default: 0] += 1
                self.head = nil
                context.channel.reset()
                return
            case .slowRead(let rate): beginSlowReading(rate, context)
            case .status(let rule):
                answerUnread(rule, context)
                return
            }
        }
        if Self.expectsContinue(head) {
            let go = HTTPResponseHead(version: head.version, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
        }
    }

    private static func expectsContinue(_ head: HTTPRequestHead) -> Bool {
        head.headers.first(name: "expect")?.lowercased() == "100-continue"
    }

    private static func view(_ head: HTTPRequestHead) -> FaultPlan.HeadView {
        FaultPlan.HeadView(
            operation: head.headers.first(name: "x-amz-target").flatMap(Operation.init(target:)),
            bytes: head.headers.first(name: "content-length").flatMap(Int.init) ?? 0,
            expects: expectsContinue(head)
        )
    }

    /// Answers without having read the body, and closes once that has come, or will not.
    private func answerUnread(_ rule: FaultRule, _ context: ChannelHandlerContext) {
        head = nil
        unread = (false, false)
        let reply = service.spoil(nil, FaultPlan.RequestFault(rule: rule, delayMS: rule.delayMS ?? 0))
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(reply.delayMS)) {
            self.write(reply, keepAlive: false, context).assumeIsolated().whenComplete { _ in
                self.endUnread(context) { $0.isAnswered = true }
                context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { context.close(promise: nil) }
            }
        }
    }

    private func endUnread(
        _ context: ChannelHandlerContext,
        _ change: (inout (isAnswered: Bool, hasEnded: Bool)) -> Void
    ) {
        guard var now = unread else { return }
        change(&now)
        unread = now
        if now.isAnswered, now.hasEnded { context.close(promise: nil) }
    }

    private func answer(_ head: HTTPRequestHead) -> Reply {
        let now = Moment.now()
        return body.withUnsafeReadableBytes { payload in
            if head.uri.hasPrefix(ControlAPI.prefix) {
                return ControlAPI.answer(service, method: head.method.rawValue, uri: head.uri, body: payload, now: now)
            }
            guard head.method == .POST else {
                return service.refusal(
                    APIError(
                        "AccessDeniedException",
                        "Unable to determine service/operation name to be authorized",
                        status: 403
                    )
                )
            }
            let headers = head.headers
            return service.answer(
                target: headers.first(name: "x-amz-target") ?? "",
                request: Authenticator.SignedRequest(
                    method: "POST",
                    uri: head.uri,
                    header: { name in
                        let values = headers[name]
                        return values.isEmpty ? nil : values.joined(separator: ",")
                    },
                    payload: payload
                ),
                now: now
            )
        }
    }

    // MARK: Answering

    private func finish(_ reply: Reply, keepAlive: Bool, _ context: ChannelHandlerContext) {
        guard reply.delayMS > 0 else {
            send(reply, keepAlive: keepAlive, context)
            return
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(reply.delayMS)) {
            self.send(reply, keepAlive: keepAlive, context)
        }
    }

    private func send(_ reply: Reply, keepAlive: Bool, _ context: ChannelHandlerContext) {
        switch reply.ending {
        case .hang: return
        case .reset:
            context.channel.reset()
            return
        case .keep, .close, .truncate: break
        }
        let sent = write(reply, keepAlive: keepAlive, context)
        if reply.ending == .truncate {
            closeAfter(sent, context)
            return
        }
        if let told = reply.tells {
            sent.assumeIsolated().whenSuccess { self.service.untold.told(told) }
        }
        if !keepAlive || reply.ending == .close { closeAfter(sent, context) }
    }

    /// The whole answer, or half of one that is to be truncated.
    private func write(_ reply: Reply, keepAlive: Bool, _ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: reply.status))
        head.headers.reserveCapacity(5)
        if reply.isOfService { head.headers.add(name: "x-amzn-RequestId", value: service.nextRequestID()) }
        head.headers.add(name: "Date", value: dates.value(service.clockSeconds(Moment.now())))
        head.headers.add(name: "Content-Type", value: reply.contentType)
        head.headers.add(name: "Content-Length", value: String(reply.body.count))
        if let wait = reply.retryAfterMS { head.headers.add(name: "x-amz-retry-after", value: String(wait)) }
        for (name, value) in reply.headers { head.headers.replaceOrAdd(name: name, value: value) }
        if !keepAlive { head.headers.add(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let sent = reply.ending == .truncate ? reply.body.prefix(reply.body.count / 2) : reply.body[...]
        var buffer = context.channel.allocator.buffer(capacity: sent.count)
        buffer.writeBytes(sent)
        let body = HTTPServerResponsePart.body(.byteBuffer(buffer))
        if reply.ending == .truncate { return context.writeAndFlush(wrapOutboundOut(body)) }
        context.write(wrapOutboundOut(body), promise: nil)
        return context.writeAndFlush(wrapOutboundOut(.end(nil)))
    }

    /// Closing earlier would throw away what the socket did not take at once.
    private func closeAfter(_ written: EventLoopFuture<Void>, _ context: ChannelHandlerContext) {
        written.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    }

    // MARK: Reading slowly

    private func beginSlowReading(_ rate: Int, _ context: ChannelHandlerContext) {
        slowly = (rate, Moment.now().monotonic)
        set(autoRead: false, chunk: max(1, rate / 10), context)
    }

    private func endSlowReading(_ context: ChannelHandlerContext) {
        slowly = nil
        set(autoRead: true, chunk: Listener.readBytes, context)
    }

    /// How long what came in so far should have taken more; `nil` where bodies are read as they come.
    private func slowReadingIsDue() -> TimeAmount? {
        guard let slowly else { return nil }
        let due = Int64(Double(body.readableBytes) / Double(slowly.rate) * 1e9)
        return .nanoseconds(max(1_000_000, due - (Moment.now().monotonic - slowly.since).wholeNanoseconds))
    }

    private func set(autoRead: Bool, chunk: Int, _ context: ChannelHandlerContext) {
        let options = context.channel.syncOptions
        let allocator = FixedSizeRecvByteBufferAllocator(capacity: chunk)
        do {
            try options?.setOption(.recvAllocator, value: allocator)
            try options?.setOption(.maxMessagesPerRead, value: 1)
            try options?.setOption(.autoRead, value: autoRead)
        } catch {
            // Options of a socket that is gone: its requests end with it.
            context.close(promise: nil)
        }
    }
}
