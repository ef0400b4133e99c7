// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Glibc
internal import NIOCore
internal import NIOPosix

// A server that speaks the Kinesis Data Streams API (JSON 1.1) on loopback, for trying out and for tests.
//
// Policy is in pure types that take time as an argument: ``LocalStream`` (shards, routing, resharding),
// ``StreamStore`` (what is stored), ``ShardLimiter`` and ``LinkSchedule`` (rates), ``FaultPlan`` (what goes wrong, seeded),
// ``Authenticator`` (signatures). ``KinesisService`` joins them, ``HTTPHandler`` is the wire. All of it runs on one
// event loop, which owns all state; there are no locks.
//
// Every record that is accepted, of any stream, gets the next *ordinal*. It is the last part of the record's sequence
// number, so sequence numbers grow within a shard, and it is the record's index in the journal, so what clients wrote
// can be read in the order of acceptance. Records live in their shard's log only: the journal is a merge of the logs.
//
// A put is read, judged, and only then stored: first the body is decoded into one arena, then limits are checked, then
// faults are drawn, then each record is stored or refused by itself.

/// A running server.
public final class KinesisServer: Sendable {
    public struct Options: Sendable {
        public var host = "127.0.0.1"
        /// 0: any free port.
        public var port = 0
        /// Names and numbers of shards of the streams that are there from the start.
        public var streams: [(name: String, shards: Int)] = []
        /// Of the ARNs; signatures may be for any.
        public var region = "us-east-1"
        /// `nil`: requests need not be signed.
        public var accessKey: AccessKey? = AccessKey(id: "test", secret: "test")
        /// Shards take 1 000 records and 1 MiB a second, unless the next two say otherwise.
        public var throttles = false
        /// What a shard takes at most; 0: nothing. `nil`: as the service, where ``throttles`` or the other is set.
        public var shardRecordsPerSecond: Int?
        /// Data and partition keys.
        public var shardBytesPerSecond: Int?
        /// Data plus partition key of a record, unless a stream says otherwise, in bytes.
        public var maxRecordBytes = KinesisLimits.defaultRecordBytes
        /// A shard's oldest records are let go beyond so many bytes; `nil`: never.
        public var retainBytes: Int?
        /// Records are counted but not kept: nothing can be read back, and memory stays as it is.
        public var discards = false
        /// How far the server's clock is ahead.
        public var clockOffsetSeconds: Int64 = 0
        /// How fast bytes of requests come in, over all connections together, at least 1; `nil`: as they are sent.
        public var uplinkBytesPerSecond: Int?
        /// A file that a line is appended to for every accepted record.
        public var journalPath: String?
        /// A file with a JSON array of fault rules, in force from the start.
        public var faultsPath: String?
        /// Of the faults that have no seed of their own.
        public var seed: UInt64 = 0

        public init() {}
    }

    /// What ``Options/shardRecordsPerSecond`` and ``Options/shardBytesPerSecond`` may be.
    public static let shardRates = Int(ShardLimiter.Rates.bounds.lowerBound)...Int(ShardLimiter.Rates.bounds.upperBound)

    public let host: String
    public let port: Int
    private let listener: NIOLoopBound<Listener>
    private let group: MultiThreadedEventLoopGroup

    private init(host: String, port: Int, listener: NIOLoopBound<Listener>, group: MultiThreadedEventLoopGroup) {
        self.host = host
        self.port = port
        self.listener = listener
        self.group = group
    }

    /// The base of its URLs.
    public var endpoint: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// - Throws: ``KinesisLocalError``, with nothing left running.
    public static func start(_ options: Options) async throws -> KinesisServer {
        let rules =
            try options.faultsPath.map { path throws(KinesisLocalError) in try FaultRules.read(path: path) } ?? []
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let loop = group.next()
            let listener = try await loop.submit {
                let service = try service(options, rules)
                return NIOLoopBound(
                    Listener(
                        host: options.host,
                        port: options.port,
                        service: service,
                        uplink: options.uplinkBytesPerSecond.map(Uplink.init),
                        loop: loop
                    ),
                    eventLoop: loop
                )
            }.get()
            let port = try await loop.flatSubmit { listener.value.open() }.get()
            return KinesisServer(host: options.host, port: port, listener: listener, group: group)
        } catch {
            // What is thrown below is the news; a group that does not stop either adds nothing to it.
            try? await group.shutdownGracefully()
            if error is KinesisLocalError { throw error }
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw KinesisLocalError.bind(host: options.host, port: options.port, reason: reason)
        }
    }

    /// Closes all connections and forgets all streams.
    public func close() async throws {
        try await group.next().submit { [listener] in listener.value.close() }.get()
        try await group.shutdownGracefully()
    }

    private static func service(_ options: Options, _ rules: [FaultRule]) throws(KinesisLocalError) -> KinesisService {
        var limits = StreamStore.Limits()
        limits.throttles =
            options.throttles || options.shardRecordsPerSecond != nil || options.shardBytesPerSecond != nil
        if let records = options.shardRecordsPerSecond { limits.rates.recordsPerSecond = Int64(records) }
        if let bytes = options.shardBytesPerSecond { limits.rates.bytesPerSecond = Int64(bytes) }
        limits.maxRecordBytes = options.maxRecordBytes
        limits.retainBytes = options.retainBytes
        limits.discards = options.discards
        var store = StreamStore(limits: limits)
        let now = Moment.now()
        for stream in options.streams {
            guard KinesisLimits.isStreamName(stream.name), (1...10_000).contains(stream.shards) else {
                throw .stream(name: stream.name, reason: "a name is 1...128 of [a-zA-Z0-9_.-], with 1...10000 shards.")
            }
            do throws(APIError) { try store.create(stream.name, shards: stream.shards, now: now) } catch {
                throw .stream(name: stream.name, reason: error.message)
            }
        }
        var faults = FaultPlan(seed: options.seed)
        for rule in rules { _ = faults.install(rule, now: now.monotonic) }
        return KinesisService(
            region: options.region,
            clockOffsetSeconds: options.clockOffsetSeconds,
            store: store,
            faults: faults,
            authenticator: options.accessKey.map(Authenticator.init),
            journal: try options.journalPath.map { path throws(KinesisLocalError) in try JournalFile(path: path) }
        )
    }
}
