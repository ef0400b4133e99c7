// SPDX-License-Identifier: Apache-2.0

public import AgentCore
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization

// How events come in
// ==================
//
// A connection is a `Connection` (when to read, how to write, how to end) and a `Conversation` on it: HTTP, or, on
// the Unix socket, lines. All connections of an event loop share an `IngestLoop`.
//
//   bytes ─▶ Opening (head: route, key, target) ─▶ body ─▶ EventBuilder ─▶ IngestLoop ─▶ EventAppending
//                                                                             │ answers, once a commit
//   bytes ◀─ Connection.outbox ◀─ Exchanges (order of replies) ◀──────────────┘
//
// What holds at all times:
// - A reply that says an event is kept is written after the queue answered `stored` for it, never before.
// - Replies leave in the order of their requests. Lines of a connection are stored in their order.
// - Memory: what clients have begun, and what is with the queue, is within the budget of its loop, whatever heads
//   announce: see `ByteBudget`, and `IngestLoop+Memory` for who gives way. Requests that are small always find room.
//   Nothing is built of a body, and no head is looked at, before it is known that there is room for what comes of it.
// - No connection keeps the others waiting: it is read once, and a bounded number of its requests or lines is looked
//   at, before the next one has its turn.
// - Heads are parsed here, strictly and in place, and replies are sent past the channel's queue of writes. So a small
//   request was measured to cost the event loop 7.4 µs, 5.3 of them in the kernel.
// - What is doubtful about where a request ends is refused, and the connection closed: see `RequestHead`.
// - Nothing here waits for the queue or for delivery; the event loops never block.

/// Whether the agent gets its work done, as `GET /readyz` says it.
public enum Readiness: Hashable, Sendable {
    case ready
    /// A sentence that says why.
    case notReady(String)
}

/// Takes events in over TCP and a Unix socket, for as long as it is neither stopped nor drained.
public final class IngestServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [IngestLoop]
    private let listeners: [any Channel]
    private let socketFile: SocketFile?

    /// Makes the text of `GET /metrics`.
    public typealias MetricsPage = @Sendable (_ reply: @escaping @Sendable ([UInt8]) -> Void) -> Void

    /// Where HTTP is listened for, as `host:port` with the real port; `nil` where it is not.
    public let httpAddress: String?
    /// The path of the Unix socket; `nil` where there is none.
    public let socketPath: String?

    private init(
        group: MultiThreadedEventLoopGroup,
        loops: [IngestLoop],
        listeners: [any Channel],
        socketFile: SocketFile?,
        httpAddress: String?,
        socketPath: String?
    ) {
        self.group = group
        self.loops = loops
        self.listeners = listeners
        self.socketFile = socketFile
        self.httpAddress = httpAddress
        self.socketPath = socketPath
    }

    /// Starts to listen; returns when connections are taken.
    ///
    /// - Parameters:
    ///   - inherited: listening sockets that somebody opened for us, TCP or Unix, whichever each of them is. A kind
    ///     that is among them is not opened by its address. They belong to the server from here on.
    ///   - readiness: asked for every `GET /readyz`, on an event loop: must not block.
    ///   - metricsPage: asked for every `GET /metrics`, on an event loop: must not block. Calls back, from any thread, once
    ///     the text is there.
    ///   - metrics: what is counted.
    ///   - onFault: told when a connection could not be accepted, such as for want of file descriptors, at most once
    ///     a minute. Any thread.
    ///   - onNotice: told of what an operator should know. Any thread; must not block.
    ///   - stoppedWaiting: told of events, asked for with ``AppendRequest/awaitsDelivery``, whose delivery nobody waits
    ///     for any more. On an event loop; must not block.
    /// - Throws: ``IngestError``; then nothing is listened on.
    public static func start(
        _ settings: IngestSettings,
        queue: any EventAppending,
        directory: any StreamDirectory,
        inherited: [CInt] = [],
        readiness: @escaping @Sendable () -> Readiness = { .ready },
        metricsPage: @escaping MetricsPage = { $0([]) },
        metrics: IngestMetrics = IngestMetrics(MetricRegistry()),
        onFault: @escaping @Sendable (IngestError) -> Void = { _ in },
        onNotice: @escaping @Sendable (IngestNotice) -> Void = { _ in },
        stoppedWaiting: @escaping @Sendable ([EventID]) -> Void = { _ in }
    ) async throws -> IngestServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(settings.eventLoops, 1))
        let connections = ConnectionCount(limit: settings.maxConnections)
        let loops = group.makeIterator().map { eventLoop in
            IngestLoop(
                eventLoop: eventLoop,
                settings: settings,
                directory: directory,
                queue: queue,
                readiness: readiness,
                metricsPage: metricsPage,
                metrics: metrics,
                connectionClosed: { connections.leave($0, isSurplus: $1) },
                stoppedWaiting: stoppedWaiting,
                notify: onNotice
            )
        }
        var listening = Listening(
            group: group,
            loops: loops,
            connections: connections,
            onFault: onFault,
            notify: onNotice
        )
        do {
            try await listening.open(settings, inherited)
        } catch {
            for channel in listening.channels { try? await channel.close() }
            listening.socketFile?.remove()
            try? await group.shutdownGracefully()
            throw error
        }
        return IngestServer(
            group: group,
            loops: loops,
            listeners: listening.channels,
            socketFile: listening.socketFile,
            httpAddress: listening.httpAddress,
            socketPath: listening.socketPath
        )
    }

    /// Calls `reply` once every event loop has come to it: one that hangs keeps it from coming. Not to be called after
    /// ``shutDown()``.
    public func beat(_ reply: @escaping @Sendable () -> Void) { beat(from: loops.startIndex, reply) }

    private func beat(from index: Int, _ reply: @escaping @Sendable () -> Void) {
        guard index < loops.endIndex else { return reply() }
        loops[index].eventLoop.execute { self.beat(from: index + 1, reply) }
    }

    /// Closes the listening sockets and removes the socket file. Connections go on.
    public func stopAccepting() async {
        for listener in listeners { try? await listener.close() }
        socketFile?.remove()
    }

    /// Answers what is in progress and closes all connections; those that are not done after `limit` are cut off.
    ///
    /// The queue must still answer meanwhile. Who waits for a delivery is told at once that the event is kept.
    public func drain(within limit: Duration) async {
        await withTaskGroup { tasks in
            for loop in loops {
                tasks.addTask {
                    let timeout = loop.eventLoop.scheduleTask(in: TimeAmount(limit)) { loop.closeAll() }
                    try? await loop.eventLoop.flatSubmit { loop.drain() }.get()
                    timeout.cancel()
                }
            }
        }
    }

    /// Stops at once: closes everything and ends the threads. Call it last, once.
    public func shutDown() async {
        await stopAccepting()
        await drain(within: .zero)
        try? await group.shutdownGracefully()
    }
}
