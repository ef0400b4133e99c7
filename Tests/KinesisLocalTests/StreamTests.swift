// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import KinesisLocal

private func moment(ms: Int64 = 0) -> Moment {
    Moment(monotonic: Instant(nanoseconds: ms * 1_000_000), wallMS: 1_770_000_000_000 + ms)
}

private func stream(shards: Int) -> LocalStream {
    LocalStream(
        name: "s",
        generation: 1,
        mode: .provisioned,
        shards: shards,
        maxRecordBytes: 1 << 20,
        rates: ShardLimiter.Rates(),
        nextOrdinal: 1,
        now: moment()
    )
}

@Suite struct RoutingTests {
    /// Bounds of the service's own streams.
    @Test func cutsTheHashSpaceAsTheServiceDoes() {
        #expect(LocalStream.evenRanges(1) == [0...UInt128.max])
        #expect(LocalStream.evenRanges(2)[0].upperBound == 170_141_183_460_469_231_731_687_303_715_884_105_727)
        #expect(LocalStream.evenRanges(3)[0].upperBound == 113_427_455_640_312_821_154_458_202_477_256_070_484)
        #expect(LocalStream.evenRanges(3)[2].lowerBound == 226_854_911_280_625_642_308_916_404_954_512_140_970)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 16, 100, 1000])
    func rangesCoverTheHashSpaceWithoutGapOrOverlap(count: Int) {
        let ranges = LocalStream.evenRanges(count)
        #expect(ranges.count == count)
        #expect(ranges.first?.lowerBound == 0)
        #expect(ranges.last?.upperBound == .max)
        for (a, b) in zip(ranges, ranges.dropFirst()) { #expect(a.upperBound + 1 == b.lowerBound) }
    }

    @Test func routesByMD5OfTheKey() {
        let two = stream(shards: 2)
        // MD5("a") = 0cc175b9…, MD5("b") = 92eb5ffe… (RFC 1321 has the first).
        #expect(two.shard(for: MD5.digest("a")) == 0)
        #expect(two.shard(for: MD5.digest("b")) == 1)
        #expect(two.shard(for: 0) == 0)
        #expect(two.shard(for: .max) == 1)
    }

    @Test func theBoundsOfARangeBelongToItsShard() {
        let many = stream(shards: 7)
        for shard in many.shards {
            #expect(many.shard(for: shard.range.lowerBound) == shard.index)
            #expect(many.shard(for: shard.range.upperBound) == shard.index)
        }
    }

    @Test func splitAndMergeMoveKeysToOpenShardsOnly() throws {
        var s = stream(shards: 2)
        try s.split("shardId-000000000000", at: 1 << 100, nextOrdinal: 5, now: moment(ms: 10))
        #expect(s.openShards == [2, 3, 1])
        #expect(s.shards[0].endingOrdinal == 5)
        #expect(s.shards[2].parent == 0 && s.shards[3].parent == 0)
        #expect(s.shard(for: (1 << 100) - 1) == 2)
        #expect(s.shard(for: 1 << 100) == 3)

        try s.merge("shardId-000000000001", "shardId-000000000003", nextOrdinal: 9, now: moment(ms: 20))
        #expect(s.openShards == [2, 4])
        #expect(s.shards[4].parent == 1 && s.shards[4].adjacentParent == 3)
        #expect(s.shard(for: .max) == 4)
        #expect(s.children(of: 3).map(\.index) == [4])
    }

    @Test func refusesToReshardWhatCannotBe() throws {
        var s = stream(shards: 3)
        #expect(throws: APIError.self) {
            try s.split("shardId-000000000000", at: 0, nextOrdinal: 1, now: moment())
        }
        #expect(throws: APIError.self) {
            try s.merge("shardId-000000000000", "shardId-000000000002", nextOrdinal: 1, now: moment())
        }
        try s.split("shardId-000000000000", at: 7, nextOrdinal: 1, now: moment())
        #expect(throws: APIError.self) {
            try s.split("shardId-000000000000", at: 9, nextOrdinal: 2, now: moment())
        }
        #expect(throws: APIError.unknownShard("shardId-000000000099", stream: "s")) {
            try s.split("shardId-000000000099", at: 9, nextOrdinal: 2, now: moment())
        }
    }

    @Test func uniformReshardingLeavesJustTheNewShardsOpen() {
        var s = stream(shards: 2)
        s.reshard(to: 4, nextOrdinal: 3, now: moment(ms: 1))
        #expect(s.openShards == [2, 3, 4, 5])
        #expect(s.shards[2...5].map(\.parent) == [0, 0, 1, 1])
        s.reshard(to: 2, nextOrdinal: 4, now: moment(ms: 2))
        #expect(s.openShards == [6, 7])
        #expect(s.shards[6].parent == 2 && s.shards[6].adjacentParent == 3)
    }
}

@Suite struct SequenceNumberTests {
    @Test func textsGrowAsNumbersDo() {
        let parent = SequenceNumber(shardCreatedMS: 1_770_000_000_000, shard: 0, ordinal: .max)
        let next = SequenceNumber(shardCreatedMS: 1_770_000_000_000, shard: 3, ordinal: 9)
        let child = SequenceNumber(shardCreatedMS: 1_770_000_000_000, shard: 3, ordinal: 10)
        #expect(parent.text < next.text && next.text < child.text)
        #expect(child.text.utf8.count == 56)
    }

    @Test func readsBackItsOwnText() {
        let number = SequenceNumber(shardCreatedMS: 1_770_000_000_123, shard: 41, ordinal: 18_446_744_073_709_551_615)
        #expect(SequenceNumber(number.text) == number)
        #expect(SequenceNumber("12") == nil)
        #expect(SequenceNumber(String(number.text.dropLast()) + "x") == nil)
    }
}

@Suite struct StreamStoreTests {
    private func put(_ store: inout StreamStore, shard: Int = 0, _ key: String, _ data: String, ms: Int64 = 0)
        -> UInt64?
    {
        let (key, data) = (Array(key.utf8), Array(data.utf8))
        return key.withUnsafeBytes { k in
            data.withUnsafeBytes { d in store.put(stream: 0, shard: shard, key: k, data: d, now: moment(ms: ms)) }
        }
    }

    @Test func journalIsInTheOrderOfAcceptanceOverAllShards() throws {
        var store = StreamStore(limits: StreamStore.Limits())
        try store.create("s", shards: 3, now: moment())
        for i in 0..<20 { #expect(put(&store, shard: i % 3, "k", "d\(i)") == UInt64(i + 1)) }
        func indices(from: UInt64, limit: Int) -> [String] {
            let text = String(
                decoding: store.journal(from: from, limit: limit, stream: nil, show: .none, untold: UntoldRecords()),
                as: UTF8.self
            )
            return text.split(separator: "\n").map { String($0.dropFirst("{\"index\":".count).prefix { $0 != "," }) }
        }
        #expect(indices(from: 1, limit: 100) == (1...20).map(String.init))
        #expect(indices(from: 8, limit: 5) == (8...12).map(String.init))
        #expect(indices(from: 21, limit: 5) == [])
    }

    @Test func theJournalSaysWhoWasNotTold() throws {
        var store = StreamStore(limits: StreamStore.Limits())
        try store.create("s", shards: 2, now: moment())
        for i in 0..<6 { #expect(put(&store, shard: i % 2, "k", "d") == UInt64(i + 1)) }
        var untold = UntoldRecords()
        for request: Range<UInt64> in [1..<3, 3..<3, 3..<4, 4..<7] { untold.stored(request) }
        func told() -> [Bool] {
            let lines = store.journal(from: 1, limit: 10, stream: nil, show: .none, untold: untold)
            return String(decoding: lines, as: UTF8.self).split(separator: "\n").map {
                $0.contains(#""answered":true"#)
            }
        }
        #expect(untold.count == 6 && told() == Array(repeating: false, count: 6))
        untold.told(3..<4)
        #expect(untold.count == 5 && told() == [false, false, true, false, false, false])
        untold.told(1..<3)
        untold.told(1..<3)
        #expect(untold.count == 3 && told() == [true, true, true, false, false, false])
        untold.told(4..<7)
        #expect(untold.count == 0 && told() == Array(repeating: true, count: 6))
    }

    @Test func throttledRecordsAreNotStored() throws {
        var limits = StreamStore.Limits()
        limits.throttles = true
        limits.rates.recordsPerSecond = 2
        var store = StreamStore(limits: limits)
        try store.create("s", shards: 2, now: moment())
        #expect(put(&store, "k", "1") == 1)
        #expect(put(&store, "k", "2") == 2)
        #expect(put(&store, "k", "3") == nil)
        #expect(put(&store, shard: 1, "k", "4") == 3)
        #expect(put(&store, "k", "5", ms: 500) == 4)
        #expect(store[0].shards[0].log.count == 3)
    }

    @Test func discardingKeepsCountsAndNothingElse() throws {
        var limits = StreamStore.Limits()
        limits.discards = true
        var store = StreamStore(limits: limits)
        try store.create("s", shards: 1, now: moment())
        for i in 0..<5 { #expect(put(&store, "k", "\(i)") == UInt64(i + 1)) }
        #expect(store[0].shards[0].accepted == 5)
        #expect(store[0].shards[0].log.bytes == 0)
    }

    @Test func retainingLetsTheOldestGo() throws {
        var limits = StreamStore.Limits()
        limits.retainBytes = 2 << 20
        var store = StreamStore(limits: limits)
        try store.create("s", shards: 1, now: moment())
        let data = String(repeating: "x", count: 1000)
        for _ in 0..<10_000 { _ = put(&store, "k", data) }
        let log = store[0].shards[0].log
        #expect(log.bytes <= 2 << 20 && log.bytes > 1 << 20)
        #expect(log.first(from: 0)?.ordinal == UInt64(10_000 - log.count + 1))
    }

    @Test func readsFromAnyOrdinalOrTime() throws {
        var store = StreamStore(limits: StreamStore.Limits())
        try store.create("s", shards: 2, now: moment())
        let data = String(repeating: "y", count: 60_000)
        for i in 0..<100 { _ = put(&store, shard: i % 2, "k\(i)", data, ms: Int64(i)) }
        let log = store[0].shards[1].log
        for from in UInt64(1)...100 {
            var first: UInt64?
            log.forEach(from: from) {
                first = $0.ordinal
                return false
            }
            #expect(first == from + from % 2)
        }
        #expect(log.first(arrivedFromMS: 1_770_000_000_050)?.ordinal == 52)
        #expect(log.first(arrivedFromMS: 1_770_000_000_100) == nil)
    }

    @Test func aDeletedStreamIsGoneAndItsNameIsFree() throws {
        var store = StreamStore(limits: StreamStore.Limits())
        try store.create("s", shards: 1, now: moment())
        let first = try store.stream("s").generation
        #expect(throws: APIError.self) { try store.create("s", shards: 1, now: moment()) }
        try store.delete("s")
        #expect(throws: APIError.unknownStream("s")) { try store.stream("s") }
        try store.create("s", shards: 2, now: moment())
        #expect(try store.stream("s").generation != first)
    }
}

@Suite struct ShardLimiterTests {
    private func at(_ ms: Int64) -> Instant { Instant(nanoseconds: ms * 1_000_000) }

    /// How many of `tries` records of a size are taken at one moment.
    private func admitted(_ limiter: inout ShardLimiter, tries: Int, bytes: Int, ms: Int64) -> Int {
        (0..<tries).count { _ in limiter.admit(bytes: bytes, now: at(ms)) }
    }

    @Test func takesAThousandRecordsASecond() {
        var limiter = ShardLimiter(now: at(0))
        #expect(admitted(&limiter, tries: 2000, bytes: 10, ms: 0) == 1000)
        #expect(admitted(&limiter, tries: 2000, bytes: 10, ms: 100) == 100)
        // A bucket holds one second's worth, however long the pause.
        #expect(admitted(&limiter, tries: 2000, bytes: 10, ms: 60_000) == 1000)
    }

    @Test func takesAMebibyteASecond() {
        var limiter = ShardLimiter(now: at(0))
        #expect(admitted(&limiter, tries: 20, bytes: 128 << 10, ms: 0) == 8)
        #expect(admitted(&limiter, tries: 20, bytes: 128 << 10, ms: 250) == 2)
    }

    @Test func aRecordLargerThanTheBucketIsPaidOffAfterwards() {
        var limiter = ShardLimiter(now: at(0))
        #expect(admitted(&limiter, tries: 1, bytes: 4 << 20, ms: 0) == 1)
        #expect(admitted(&limiter, tries: 1, bytes: 1, ms: 2999) == 0)
        #expect(admitted(&limiter, tries: 1, bytes: 1, ms: 3001) == 1)
    }

    @Test func aClockThatStandsStillOrGoesBackGivesNothing() {
        var limiter = ShardLimiter(now: at(1000))
        #expect(admitted(&limiter, tries: 2000, bytes: 1, ms: 1000) == 1000)
        #expect(admitted(&limiter, tries: 1, bytes: 1, ms: 0) == 0)
        #expect(admitted(&limiter, tries: 1, bytes: 1, ms: 1000) == 0)
        #expect(admitted(&limiter, tries: 1, bytes: 1, ms: 1001) == 1)
    }
}
