// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The listening socket and its connections, which an outage takes away for a while. Belongs to the event loop.
final class Listener {
    static let readBytes = 256 << 10
    /// Of a server behind a slow link: what Ethernet leaves, and some of them.
    private static let slowSegmentBytes = 1448
    private static let slowBufferBytes = 16 << 10

    private let loop: any EventLoop
    private let host: String
    private var port: Int
    private let service: KinesisService
    /// `nil`: bytes come in as fast as they are sent.
    private let uplink: Uplink?
    private let dates = DateHeader()
    private var channel: (any Channel)?
    private var connections: [ObjectIdentifier: any Channel] = [:]
    private var isClosed = false
    /// The end of the outage that lasts longest.
    private var awayUntil = NIODeadline.distantPast
    private var nextDeed: Scheduled<Void>?

    init(host: String, port: Int, service: KinesisService, uplink: Uplink?, loop: any EventLoop) {
        self.host = host
        self.port = port
        self.service = service
        self.uplink = uplink
        self.loop = loop
    }

    /// Listens; gives the port, which is kept for later.
    func open() -> EventLoopFuture<Int> {
        let shared = NIOLoopBound(self, eventLoop: loop)
        var bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBytes))
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture { try shared.value.adopt(child) }
            }
        if uplink != nil {
            // Connections inherit both. Else the kernels would take in megabytes at once, and a client would see them
            // gone: loopback has large packets and large buffers.
            bootstrap =
                bootstrap
                .serverChannelOption(
                    .tcpOption(NIOBSDSocket.Option(rawValue: TCP_MAXSEG)),
                    value: Self.slowSegmentBytes
                )
                .serverChannelOption(.socketOption(.so_rcvbuf), value: Self.slowBufferBytes)
        }
        return bootstrap.bind(host: host, port: port)
            .map { channel in
                let listener = shared.value
                listener.channel = channel
                listener.port = channel.localAddress?.port ?? listener.port
                listener.doDeeds()
                return listener.port
            }
    }

    /// Ends for good.
    func close() {
        isClosed = true
        takeAway()
    }

    /// Resets all connections but one and does not listen for a while: clients find nobody there, and streams stay.
    func outage(_ time: TimeAmount, sparing asking: (any Channel)? = nil) {
        takeAway(sparing: asking)
        awayUntil = max(awayUntil, .now() + time)
        loop.assumeIsolated().scheduleTask(deadline: awayUntil) { self.reopen() }
    }

    /// Does what the faults have for now, and comes back when there is more.
    private func doDeeds() {
        nextDeed?.cancel()
        nextDeed = nil
        guard !isClosed else { return }
        let now = Moment.now()
        for rule in service.faults.takeDeeds(now: now.monotonic) {
            switch rule.action {
            case .outage: outage(.milliseconds(rule.forMS ?? 0))
            case .reshard: service.reshard(rule, now: now)
            default: preconditionFailure("\(rule.action) is not done at a time")
            }
        }
        let next = service.faults.nextDeed
        if next == .never { return }
        let wait = TimeAmount.nanoseconds(max(0, (next - now.monotonic).wholeNanoseconds))
        nextDeed = loop.assumeIsolated().scheduleTask(in: wait) { self.doDeeds() }
    }

    private func takeAway(sparing asking: (any Channel)? = nil) {
        channel?.close(promise: nil)
        channel = nil
        for connection in connections.values where connection !== asking { connection.reset() }
    }

    /// Another program may have taken the port meanwhile, for as long as it likes.
    private func reopen() {
        guard !isClosed, channel == nil, .now() >= awayUntil else { return }
        open().assumeIsolated().whenFailure { _ in
            self.loop.assumeIsolated().scheduleTask(in: .milliseconds(100)) { self.reopen() }
        }
    }

    private func adopt(_ child: any Channel) throws {
        let pipeline = child.pipeline.syncOperations
        if let uplink { try pipeline.addHandler(UplinkHandler(uplink)) }
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
        try pipeline.addHandler(
            HTTPHandler(
                service: service,
                dates: dates,
                outage: { [weak self] in self?.outage($0, sparing: $1) },
                faultsChanged: { [weak self] in self?.doDeeds() }
            )
        )
        connections[ObjectIdentifier(child)] = child
        child.closeFuture.assumeIsolated().whenComplete { [weak self] _ in
            self?.connections[ObjectIdentifier(child)] = nil
        }
    }
}

extension Channel {
    /// Closes so that the peer sees a reset: what was not sent is thrown away.
    func reset() {
        if let socket = self as? any SocketOptionProvider {
            socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in
                // Where the socket is gone already there is nothing left to reset.
            }
        }
        close(promise: nil)
    }
}
