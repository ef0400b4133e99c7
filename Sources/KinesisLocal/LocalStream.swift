// SPDX-License-Identifier: Apache-2.0

/// A stream: its shards, of which the open ones cover the hash space without gap or overlap.
struct LocalStream {
    let name: String
    let createdMS: Int64
    /// Tells it from earlier streams of the same name, whose iterators are void.
    let generation: Int
    let rates: ShardLimiter.Rates
    var mode: StreamMode
    /// Data plus partition key of a record at most, in bytes.
    var maxRecordBytes: Int
    private(set) var shards: [Shard] = []
    /// The open shards by the start of their ranges.
    private var open: [Int] = []

    enum StreamMode: String {
        case provisioned = "PROVISIONED"
        case onDemand = "ON_DEMAND"
    }

    /// `count` shards of equal ranges.
    init(
        name: String,
        generation: Int,
        mode: StreamMode,
        shards count: Int,
        maxRecordBytes: Int,
        rates: ShardLimiter.Rates,
        nextOrdinal: UInt64,
        now: Moment
    ) {
        self.name = name
        self.generation = generation
        self.mode = mode
        self.maxRecordBytes = maxRecordBytes
        self.rates = rates
        createdMS = now.wallMS
        for range in Self.evenRanges(count) {
            add(range, parent: nil, adjacentParent: nil, nextOrdinal: nextOrdinal, now: now)
        }
        reopen()
    }

    var openShards: [Int] { open }

    /// Where records with this point of the hash space go.
    func shard(for point: UInt128) -> Int {
        var (low, high) = (0, open.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if shards[open[middle]].range.lowerBound <= point { low = middle } else { high = middle - 1 }
        }
        return open[low]
    }

    func shard(id: String) throws(APIError) -> Shard {
        guard let index = Shard.index(id: id), index < shards.count else {
            throw .unknownShard(id, stream: name)
        }
        return shards[index]
    }

    /// Calls `body` with a shard to be changed in place.
    mutating func withShard<R>(_ index: Int, _ body: (inout Shard) -> R) -> R { body(&shards[index]) }

    func children(of index: Int) -> [Shard] {
        shards.filter { $0.parent == index || $0.adjacentParent == index }
    }

    /// The hash space cut into `count` ranges as the service cuts it: equal, and the last one to the end.
    static func evenRanges(_ count: Int) -> [ClosedRange<UInt128>] {
        if count == 1 { return [0...UInt128.max] }
        // 2¹²⁸ itself does not fit: one less, divided, differs only where count divides 2¹²⁸.
        let parts = UInt128(count)
        var width = UInt128.max / parts
        if UInt128.max % parts == parts - 1 { width += 1 }
        return (0..<count).map { i in
            let start = UInt128(i) * width
            return start...(i == count - 1 ? UInt128.max : start + (width - 1))
        }
    }
}

extension LocalStream {
    /// Closes a shard and opens two: up to `hashKey`, and from it on.
    mutating func split(_ id: String, at hashKey: UInt128, nextOrdinal: UInt64, now: Moment) throws(APIError) {
        let shard = try openShard(id)
        guard hashKey > shard.range.lowerBound, hashKey <= shard.range.upperBound else {
            throw .invalidArgument(
                "NewStartingHashKey \(hashKey) used in SplitShard() on shard \(shard.id) in stream \(name) under account "
                    + "\(Account.id) is not both greater than one plus the shard's StartingHashKey "
                    + "\(shard.range.lowerBound) and less than the shard's EndingHashKey \(shard.range.upperBound)."
            )
        }
        shards[shard.index].close(at: nextOrdinal, now: now)
        for range in [shard.range.lowerBound...hashKey - 1, hashKey...shard.range.upperBound] {
            add(range, parent: shard.index, adjacentParent: nil, nextOrdinal: nextOrdinal, now: now)
        }
        reopen()
    }

    /// Closes two neighbours and opens one over both.
    mutating func merge(_ id: String, _ adjacent: String, nextOrdinal: UInt64, now: Moment) throws(APIError) {
        let first = try openShard(id)
        let second = try openShard(adjacent)
        let (low, high) = first.range.lowerBound < second.range.lowerBound ? (first, second) : (second, first)
        guard low.range.upperBound != .max, low.range.upperBound + 1 == high.range.lowerBound else {
            throw .invalidArgument(
                "Shards \(first.id) and \(second.id) in stream \(name) under account \(Account.id) are not an adjacent "
                    + "pair of shards eligible for merging"
            )
        }
        shards[first.index].close(at: nextOrdinal, now: now)
        shards[second.index].close(at: nextOrdinal, now: now)
        add(
            low.range.lowerBound...high.range.upperBound,
            parent: first.index,
            adjacentParent: second.index,
            nextOrdinal: nextOrdinal,
            now: now
        )
        reopen()
    }

    /// Replaces the open shards by `count` of equal ranges.
    ///
    /// The service gets there by splits and merges, each a shard that lives a moment; here every new shard has as
    /// parents the first and the last open one that it overlaps, and those in between merely end.
    mutating func reshard(to count: Int, nextOrdinal: UInt64, now: Moment) {
        let old = open.map { shards[$0] }
        for shard in old { shards[shard.index].close(at: nextOrdinal, now: now) }
        for range in Self.evenRanges(count) {
            let parents = old.filter { $0.range.overlaps(range) }
            add(
                range,
                parent: parents.first?.index,
                adjacentParent: parents.count > 1 ? parents.last?.index : nil,
                nextOrdinal: nextOrdinal,
                now: now
            )
        }
        reopen()
    }

    private func openShard(_ id: String) throws(APIError) -> Shard {
        let shard = try shard(id: id)
        guard shard.isOpen else {
            throw .invalidArgument(
                "Shard \(shard.id) in stream \(name) under account \(Account.id) has already been merged or split, "
                    + "and thus is not eligible for merging or splitting."
            )
        }
        return shard
    }

    private mutating func add(
        _ range: ClosedRange<UInt128>,
        parent: Int?,
        adjacentParent: Int?,
        nextOrdinal: UInt64,
        now: Moment
    ) {
        shards.append(
            Shard(
                index: shards.count,
                range: range,
                parent: parent,
                adjacentParent: adjacentParent,
                startingOrdinal: nextOrdinal,
                rates: rates,
                now: now
            )
        )
    }

    private mutating func reopen() {
        open = shards.filter(\.isOpen).sorted { $0.range.lowerBound < $1.range.lowerBound }.map(\.index)
    }
}
