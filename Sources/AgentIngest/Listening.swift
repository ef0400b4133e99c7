// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Opens the listening sockets.
struct Listening {
    /// Clients that may wait to be accepted, on each socket.
    private static let backlog: CInt = 1024

    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: IngestLoop]
    private let connections: ConnectionCount
    private let onFault: @Sendable (IngestError) -> Void
    private let notify: @Sendable (IngestNotice) -> Void

    private(set) var channels: [any Channel] = []
    private(set) var socketFile: SocketFile?
    private(set) var httpAddress: String?
    private(set) var socketPath: String?

    init(
        group: MultiThreadedEventLoopGroup,
        loops: [IngestLoop],
        connections: ConnectionCount,
        onFault: @escaping @Sendable (IngestError) -> Void,
        notify: @escaping @Sendable (IngestNotice) -> Void
    ) {
        self.group = group
        self.loops = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        self.connections = connections
        self.onFault = onFault
        self.notify = notify
    }

    mutating func open(_ settings: IngestSettings, _ inherited: [CInt]) async throws {
        for descriptor in inherited { try await adopt(descriptor) }
        if httpAddress == nil, !settings.http.isEmpty {
            guard let address = BindAddress(settings.http) else { throw IngestError.invalidAddress(settings.http) }
            do {
                let channel = try await bootstrap(.tcp).bind(host: address.host, port: address.port).get()
                channels.append(channel)
                httpAddress = Self.text(channel.localAddress)
            } catch {
                throw IngestError.listen(
                    address: settings.http,
                    reason: ListenFault.reason(error, port: address.port)
                )
            }
        }
        if socketPath == nil, !settings.socketPath.isEmpty {
            let (file, descriptor) = try SocketFile.bind(settings.socketPath, mode: settings.socketMode)
            socketFile = file
            channels.append(try await bootstrap(.unix).withBoundSocket(descriptor).get())
            // NIO listens on a socket that is given to it with a backlog of its own.
            listen(descriptor, Self.backlog)
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
            let channel = try await bootstrap(isLocal ? .unix : .tcp).withBoundSocket(descriptor).get()
            channels.append(channel)
            listen(descriptor, Self.backlog)
            if isLocal {
                socketPath = channel.localAddress?.pathname ?? ""
            } else {
                httpAddress = Self.text(channel.localAddress)
            }
        } catch {
            throw IngestError.inherited(descriptor: descriptor, reason: "\(error)")
        }
    }

    private func bootstrap(_ door: Door) -> ServerBootstrap {
        let (loops, connections, onFault, notify) = (loops, connections, onFault, notify)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(report: onFault, notify: notify))
                }
            }
            // Clients half-close after their last request, and lines end that way.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // One read, then the others have their turn.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else { return }
                    let isSurplus = try loop.admit(door, connections)
                    do {
                        try channel.syncOptions?.setOption(.recvAllocator, value: ReadBufferAllocator(loop.readBuffer))
                        let connection = Connection(loop: loop, door: door, isSurplus: isSurplus)
                        try channel.pipeline.syncOperations.addHandler(connection)
                    } catch {
                        connections.leave(door, isSurplus: isSurplus)
                        throw error
                    }
                }
            }
        if door == .unix { return bootstrap }
        return bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    private static func text(_ address: SocketAddress?) -> String? {
        guard let address, let host = address.ipAddress, let port = address.port else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
