// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Opens the listening sockets.
struct Listening {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: IngestLoop]
    private let connections: ConnectionCount
    private let onFault: @Sendable (IngestError) -> Void

    private(set) var channels: [any Channel] = []
    private(set) var socketFile: SocketFile?
    private(set) var httpAddress: String?
    private(set) var socketPath: String?

    init(
        group: MultiThreadedEventLoopGroup,
        loops: [IngestLoop],
        connections: ConnectionCount,
        onFault: @escaping @Sendable (IngestError) -> Void
    ) {
        self.group = group
        self.loops = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        self.connections = connections
        self.onFault = onFault
    }

    mutating func open(_ settings: IngestSettings, _ inherited: [CInt]) async throws {
        for descriptor in inherited { try await adopt(descriptor) }
        if httpAddress == nil, !settings.http.isEmpty {
            guard let address = BindAddress(settings.http) else { throw IngestError.invalidAddress(settings.http) }
            do {
                let channel = try await bootstrap(isLocal: false).bind(host: address.host, port: address.port).get()
                channels.append(channel)
                httpAddress = Self.text(channel.localAddress)
            } catch {
                throw IngestError.listen(address: settings.http, reason: "\(error)")
            }
        }
        if socketPath == nil, !settings.socketPath.isEmpty {
            let (file, descriptor) = try SocketFile.bind(settings.socketPath, mode: settings.socketMode)
            socketFile = file
            channels.append(try await bootstrap(isLocal: true).withBoundSocket(descriptor).get())
            socketPath = settings.socketPath
        }
    }

    private mutating func adopt(_ descriptor: CInt) async throws {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let known = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard known == 0 else {
            throw IngestError.inherited(descriptor: descriptor, reason: String(cString: strerror(errno)))
        }
        let isLocal = CInt(address.ss_family) == AF_UNIX
        do {
            let channel = try await bootstrap(isLocal: isLocal).withBoundSocket(descriptor).get()
            channels.append(channel)
            if isLocal {
                socketPath = channel.localAddress?.pathname ?? ""
            } else {
                httpAddress = Self.text(channel.localAddress)
            }
        } catch {
            throw IngestError.inherited(descriptor: descriptor, reason: "\(error)")
        }
    }

    private func bootstrap(isLocal: Bool) -> ServerBootstrap {
        let (loops, connections, onFault) = (loops, connections, onFault)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                    try channel.pipeline.syncOperations.addHandler(AcceptFaults(report: onFault))
                }
            }
            // Clients half-close after their last request, and lines end that way.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 64 << 10)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else { return }
                    let admission = connections.enter()
                    guard admission != .none else { throw IngestError.accept(reason: "too many connections") }
                    let connection = Connection(loop: loop, isLocal: isLocal, isSurplus: admission == .surplus)
                    do {
                        try channel.pipeline.syncOperations.addHandler(connection)
                    } catch {
                        connections.leave()
                        throw error
                    }
                }
            }
        if isLocal { return bootstrap }
        return bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    private static func text(_ address: SocketAddress?) -> String? {
        guard let address, let host = address.ipAddress, let port = address.port else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// Reports why connections could not be accepted.
private final class AcceptFaults: ChannelInboundHandler {
    typealias InboundIn = Channel

    private let report: @Sendable (IngestError) -> Void

    init(report: @escaping @Sendable (IngestError) -> Void) { self.report = report }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        report(.accept(reason: "\(error)"))
    }
}
