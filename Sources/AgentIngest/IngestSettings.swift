// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// How events come in: addresses, limits and time-outs.
public struct IngestSettings: Sendable {
    /// `host:port` or `[v6]:port`; port 0 takes any free one; empty: no HTTP over TCP.
    public var http = "127.0.0.1:8077"
    /// Path of the Unix socket; empty: none.
    public var socketPath = "/run/agentd/ingest.sock"
    /// Permission bits of the socket file.
    public var socketMode: UInt32 = 0o660

    /// The largest event, in bytes of data. A stream may allow less.
    public var maxEventBytes = 1 << 20
    /// The largest request body. A request may have one event for each 256 bytes of it, so that many tiny
    /// events do not cost more memory than one large body, nor keep others waiting for long.
    public var maxRequestBytes = 16 << 20
    /// How long a PUT waits for Kinesis before it is answered 202.
    public var putWait: Duration = .seconds(5)
    /// When puts of the Kinesis API are answered.
    public var kinesisAPI = KinesisAPIMode.buffer
    /// PUT requests that may wait at a time; one more is answered 202 at once.
    public var maxWaiting = 4096

    /// Connections at a time, TCP and Unix together; half are each one's own when both need them. When all are in use,
    /// the one that is idle for longest makes room for a new client. Where none is idle, a quarter more are accepted,
    /// to be answered 503 and closed, so that a client learns why; what comes beyond these is closed at once.
    public var maxConnections = 1024
    /// A connection with nothing to do is closed after this.
    public var idleTimeout: Duration = .seconds(75)
    /// From a request's first byte to the end of its header fields; then 408.
    public var headTimeout: Duration = .seconds(10)
    /// From there to the end of its body, without the time that the agent itself did not read; then 408. Also how
    /// long a client may leave replies unread.
    public var bodyTimeout: Duration = .seconds(30)
    /// What requests that are coming in may hold, and again what is with the queue, in bytes: at least
    /// ``maxRequestBytes``. It is shared out evenly among the event loops. One large request a loop may overdraw each.
    public var memoryBytes = 16 << 20
    /// Threads that serve connections, 1...; a connection stays with one of them.
    public var eventLoops = 1

    /// Where lines go that name no stream; `nil`: they are refused. A line that names a region means the stream of that
    /// name there.
    public var defaultStream: StreamReference?
    /// Names, without port, that a `Host` may have beside `localhost`, loopback addresses, the host of ``http``, and
    /// the address that the client connected to.
    public var allowedHosts: [String] = []
    /// Values that an `Origin` may have, such as `https://shop.example`: pages of these may post and read the answers.
    public var allowedOrigins: [String] = []

    public init() {}
}

/// When puts of the Kinesis API are answered.
public enum KinesisAPIMode: String, Sendable, CaseIterable {
    /// Once the records are in the queue, with ids of the queue as sequence numbers.
    case buffer
    /// Once Kinesis has them, with its own sequence numbers and shards, or after ``IngestSettings/putWait`` with a fault.
    case deliver
}
