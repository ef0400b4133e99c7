// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// All streams, and the counter that numbers what they store.
struct StreamStore {
    struct Limits: Sendable {
        /// Whether shards throttle.
        var throttles = false
        var rates = ShardLimiter.Rates()
        /// Data plus partition key of a record, unless a stream says otherwise, in bytes.
        var maxRecordBytes = KinesisLimits.defaultRecordBytes
        /// Records of a shard are let go, oldest first, beyond so many bytes; `nil`: never.
        var retainBytes: Int?
        /// Records are numbered and counted, but not kept.
        var discards = false
    }

    let limits: Limits
    private var streams: [LocalStream] = []
    private var byName: [String: Int] = [:]
    private var generation = 0
    private(set) var nextOrdinal: UInt64 = 1
    /// The number of the put that is being carried out.
    private var call: UInt64 = 0

    init(limits: Limits) { self.limits = limits }

    var names: [String] { byName.keys.sorted() }
    var all: [LocalStream] { byName.values.sorted().map { streams[$0] } }

    func index(of name: String) throws(APIError) -> Int {
        guard let index = byName[name] else { throw .unknownStream(name) }
        return index
    }

    func stream(_ name: String) throws(APIError) -> LocalStream { streams[try index(of: name)] }

    /// The stream at an index that ``index(of:)`` gave, in place.
    subscript(index: Int) -> LocalStream {
        _read { yield streams[index] }
        _modify { yield &streams[index] }
    }

    mutating func create(
        _ name: String,
        shards: Int,
        mode: LocalStream.StreamMode = .provisioned,
        maxRecordBytes: Int? = nil,
        now: Moment
    ) throws(APIError) {
        guard byName[name] == nil else {
            throw APIError("ResourceInUseException", "Stream \(name) under account \(Account.id) already exists.")
        }
        generation += 1
        let stream = LocalStream(
            name: name,
            generation: generation,
            mode: mode,
            shards: shards,
            maxRecordBytes: maxRecordBytes ?? limits.maxRecordBytes,
            rates: limits.rates,
            nextOrdinal: nextOrdinal,
            now: now
        )
        byName[name] = streams.count
        streams.append(stream)
    }

    /// The stream and its records are gone; other streams keep their indices.
    mutating func delete(_ name: String) throws(APIError) {
        let index = try index(of: name)
        byName[name] = nil
        streams[index] = LocalStream(
            name: name,
            generation: 0,
            mode: .provisioned,
            shards: 1,
            maxRecordBytes: 0,
            rates: limits.rates,
            nextOrdinal: nextOrdinal,
            now: Moment(monotonic: .zero, wallMS: 0)
        )
    }

    /// A put begins: what follows is of it.
    mutating func beginCall() { call += 1 }

    mutating func countCall(stream: Int, shard: Int) { streams[stream].withShard(shard) { $0.countCall(call) } }
    mutating func countThrottled(stream: Int, shard: Int) { streams[stream].withShard(shard) { $0.countThrottled() } }

    /// Stores a record.
    ///
    /// - Returns: its ordinal; `nil` where the shard's rate is used up.
    mutating func put(
        stream: Int,
        shard: Int,
        key: UnsafeRawBufferPointer,
        data: UnsafeRawBufferPointer,
        now: Moment
    ) -> UInt64? {
        let ordinal = nextOrdinal
        let limits = limits
        let stored = streams[stream].withShard(shard) { shard in
            if limits.throttles, !shard.limiter.admit(bytes: key.count + data.count, now: now.monotonic) {
                shard.countThrottled()
                return false
            }
            shard.countAccepted()
            if !limits.discards {
                shard.log.append(ordinal: ordinal, arrivalMS: now.wallMS, key: key, data: data)
                if let retain = limits.retainBytes, shard.log.bytes > retain { shard.log.trim(to: retain) }
            }
            return true
        }
        guard stored else { return nil }
        nextOrdinal += 1
        return ordinal
    }

    mutating func split(_ name: String, _ shard: String, at hashKey: UInt128, now: Moment) throws(APIError) {
        try streams[try index(of: name)].split(shard, at: hashKey, nextOrdinal: takeOrdinal(), now: now)
    }

    mutating func merge(_ name: String, _ shard: String, _ adjacent: String, now: Moment) throws(APIError) {
        try streams[try index(of: name)].merge(shard, adjacent, nextOrdinal: takeOrdinal(), now: now)
    }

    mutating func reshard(_ name: String, to count: Int, now: Moment) throws(APIError) {
        streams[try index(of: name)].reshard(to: count, nextOrdinal: takeOrdinal(), now: now)
    }

    /// An ordinal that no record gets: where closed shards end.
    private mutating func takeOrdinal() -> UInt64 {
        nextOrdinal += 1
        return nextOrdinal - 1
    }
}
