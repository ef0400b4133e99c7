// SPDX-License-Identifier: Apache-2.0

import AgentCore
import NIOCore
import NIOEmbedded
import Synchronization

@testable import AgentIngest

/// An event loop of the server, with hand-cranked time, and connections on it.
final class TestServer {
    let eventLoop = EmbeddedEventLoop()
    let queue: ScriptedQueue
    let directory = ScriptedDirectory()
    let loop: IngestLoop
    let connections: ConnectionCount
    let notices = Notices()
    let metrics = MetricRegistry()
    /// Those who wait for the text of `GET /metrics`.
    let pages = Pages()

    init(answersAtOnce: Bool = true, readiness: Readiness = .ready, _ change: (inout IngestSettings) -> Void = { _ in })
    {
        var settings = IngestSettings()
        change(&settings)
        queue = ScriptedQueue(answersAtOnce: answersAtOnce)
        connections = ConnectionCount(limit: settings.maxConnections)
        loop = IngestLoop(
            eventLoop: eventLoop,
            settings: settings,
            directory: directory,
            queue: queue,
            readiness: { readiness },
            metricsPage: { [pages] in pages.ask($0) },
            metrics: IngestMetrics(metrics),
            connectionClosed: { [connections] in connections.leave($0, isSurplus: $1) },
            stoppedWaiting: { [notices] in notices.stopped($0) },
            notify: { [notices] in notices.note($0) }
        )
    }

    func connect(isLocal: Bool = false, isSurplus: Bool = false) throws -> TestConnection {
        try TestConnection(self, Connection(loop: loop, door: isLocal ? .unix : .tcp, isSurplus: isSurplus))
    }

    /// Connects as a client does for whom there may be no place.
    func enter(_ door: Door) throws -> TestConnection {
        let isSurplus = try loop.admit(door, connections)
        return try TestConnection(self, Connection(loop: loop, door: door, isSurplus: isSurplus))
    }

    /// Runs what is due; answers of the queue arrive.
    func turn() {
        eventLoop.run()
        while loop.hasTurns { eventLoop.advanceTime(by: .microseconds(50)) }
    }

    func advance(_ time: TimeAmount) { eventLoop.advanceTime(by: time) }

    /// Sends one request on a connection of its own.
    func reply(to request: String, isLocal: Bool = false) throws -> TestReply {
        let connection = try connect(isLocal: isLocal)
        try connection.send(request)
        return try connection.reply()
    }
}

/// Texts of `GET /metrics` that are being made.
final class Pages: Sendable {
    private let waiting = Mutex<[@Sendable ([UInt8]) -> Void]>([])

    func ask(_ reply: @escaping @Sendable ([UInt8]) -> Void) { waiting.withLock { $0.append(reply) } }

    var count: Int { waiting.withLock { $0.count } }

    func answer(_ text: String) {
        let replies = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for reply in replies { reply(Array(text.utf8)) }
    }
}

/// What the server tells the rest of the agent.
final class Notices: Sendable {
    private let all = Mutex<[IngestNotice]>([])
    private let events = Mutex<[EventID]>([])

    func note(_ notice: IngestNotice) { all.withLock { $0.append(notice) } }
    func stopped(_ ids: [EventID]) { events.withLock { $0 += ids } }

    var told: [IngestNotice] { all.withLock { $0 } }
    /// Events whose delivery is no longer waited for.
    var stoppedWaiting: [EventID] { events.withLock { $0 } }
}

/// The client's end of a connection.
final class TestConnection {
    private let server: TestServer
    let channel: EmbeddedChannel
    private let reads = ReadCounter()
    private var output: [UInt8] = []

    init(_ server: TestServer, _ connection: Connection) throws {
        self.server = server
        channel = EmbeddedChannel(loop: server.eventLoop)
        try channel.pipeline.syncOperations.addHandlers([reads, connection])
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/test"), promise: nil)
        server.turn()
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        server.turn()
    }

    func halfClose() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        server.turn()
    }

    /// All that was sent to the client and not read.
    func drainOutput() throws -> String {
        server.turn()
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { output += Array(buffer.readableBytesView) }
        defer { output = [] }
        return String(decoding: output, as: UTF8.self)
    }

    func reply() throws -> TestReply { try TestReply(try drainOutput()) }

    func replies() throws -> [TestReply] {
        var text = Substring(try drainOutput())
        var replies: [TestReply] = []
        while !text.isEmpty { replies.append(try TestReply(&text)) }
        return replies
    }

    var isOpen: Bool { channel.isActive }

    /// The client reads nothing any more, or all that there is again.
    func setReading(_ isReading: Bool) {
        channel.isWritable = isReading
        channel.pipeline.fireChannelWritabilityChanged()
        server.turn()
    }

    /// Asks for input, as the channel does after each read.
    /// - Returns: whether the socket would be read now.
    func asksToRead() -> Bool {
        let before = reads.count
        channel.read()
        return reads.count > before
    }

    /// How often the socket would have been read so far.
    var readCount: Int { reads.count }
}

private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

struct TestReply {
    enum Fault: Error { case malformed(String) }

    let status: Int
    let fields: [String: String]
    let body: String

    init(_ text: String) throws {
        var rest = Substring(text)
        try self.init(&rest)
        guard rest.isEmpty else { throw Fault.malformed(text) }
    }

    /// Takes one reply off the front.
    init(_ text: inout Substring) throws {
        guard text.hasPrefix("HTTP/1.1 "), let end = text.firstRange(of: "\r\n\r\n") else {
            throw Fault.malformed(String(text))
        }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        status = Int(lines[0].split(separator: " ")[1]) ?? 0
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstRange(of: ": ") else { throw Fault.malformed(String(line)) }
            fields[line[..<colon.lowerBound].lowercased()] = String(line[colon.upperBound...])
        }
        self.fields = fields
        let length = Int(fields["content-length"] ?? "0") ?? 0
        let bytes = text[end.upperBound...].utf8
        guard bytes.count >= length || status == 100 else { throw Fault.malformed(String(text)) }
        let bodyEnd = bytes.index(bytes.startIndex, offsetBy: length)
        body = String(text[end.upperBound..<bodyEnd])
        text = text[bodyEnd...]
    }

    /// The word in the body of a refusal.
    var slug: String? {
        try? Array(body.utf8).withUnsafeBytes { bytes in
            try JSONView(validating: bytes)[JSONPointer("/error") ?? .init("")!]?.scalarText
        }
    }
}

func post(
    _ body: String,
    _ path: String = "/v1/streams/clicks/events",
    type: String = "application/json",
    _ fields: String...
) -> String {
    let fields = (["Host: localhost", "Content-Type: \(type)"] + fields).joined(separator: "\r\n")
    return "POST \(path) HTTP/1.1\r\n\(fields)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

func put(_ body: String, _ path: String = "/clicks") -> String {
    "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
