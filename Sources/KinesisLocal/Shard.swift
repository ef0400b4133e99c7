// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// A shard: a range of the hash space and the records that fell into it, open or, after a split or merge, closed.
struct Shard {
    /// Its place among the stream's shards, and the number in its id.
    let index: Int
    let id: String
    let range: ClosedRange<UInt128>
    let parent: Int?
    let adjacentParent: Int?
    let createdMS: Int64
    /// The first ordinal that can be in it.
    let startingOrdinal: UInt64
    /// Above every ordinal in it; set when it was closed.
    private(set) var endingOrdinal: UInt64?
    private(set) var closedMS: Int64?

    var log = ShardLog()
    var limiter: ShardLimiter
    private(set) var accepted = 0
    /// Records refused for the shard's rate, or as if for that.
    private(set) var throttled = 0
    /// Puts that brought records for it.
    private(set) var calls = 0
    private var lastCall: UInt64 = 0

    /// An accepted record's entry of a PutRecords answer, before and after the digits of its ordinal.
    let entryHead: [UInt8]
    let entryTail: [UInt8]

    init(
        index: Int,
        range: ClosedRange<UInt128>,
        parent: Int? = nil,
        adjacentParent: Int? = nil,
        startingOrdinal: UInt64,
        rates: ShardLimiter.Rates,
        now: Moment
    ) {
        self.index = index
        id = Self.id(index)
        self.range = range
        self.parent = parent
        self.adjacentParent = adjacentParent
        self.createdMS = now.wallMS
        self.startingOrdinal = startingOrdinal
        limiter = ShardLimiter(rates: rates, now: now.monotonic)
        entryHead =
            Array("{\"SequenceNumber\":\"".utf8) + SequenceNumber.prefix(shardCreatedMS: createdMS, shard: index)
        entryTail = Array("\",\"ShardId\":\"\(id)\"}".utf8)
    }

    var isOpen: Bool { endingOrdinal == nil }

    static func id(_ index: Int) -> String {
        let digits = String(index)
        return "shardId-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    /// The index that a shard's id names; with or without the `shardId-` before it, as the service takes it.
    static func index(id: String) -> Int? {
        let digits = id.hasPrefix("shardId-") ? id.dropFirst("shardId-".count) : id[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(digits)
    }

    func sequenceNumber(_ ordinal: UInt64) -> String {
        SequenceNumber(shardCreatedMS: createdMS, shard: index, ordinal: ordinal).text
    }

    mutating func close(at ordinal: UInt64, now: Moment) {
        endingOrdinal = ordinal
        closedMS = now.wallMS
    }

    mutating func countAccepted() { accepted += 1 }
    mutating func countThrottled() { throttled += 1 }

    /// Counts a put once, however many records of it are for this shard.
    mutating func countCall(_ number: UInt64) {
        if number != lastCall { calls += 1 }
        lastCall = number
    }

    /// Whether it was open at a time.
    func wasOpen(atMS time: Int64) -> Bool { createdMS <= time && (closedMS ?? .max) > time }
}
