// SPDX-License-Identifier: Apache-2.0

/// Which shard takes which part of the hash space, as far as answers have told.
///
/// Of a shard is known the narrowest range that holds every point for which an answer named it; the true one is wider.
/// Answers are the authority: one that names another shard for a point than is known here shows that the stream was
/// split or merged, and what is in its way is forgotten.
struct ShardMap {
    /// Ascending, and disjoint.
    private(set) var shards: [Shard] = []
    private var byName: [String: Shard] = [:]

    /// The shard whose known range holds the point.
    func shard(of point: UInt128) -> Shard? {
        let index = index(from: point)
        return index < shards.count && shards[index].first <= point ? shards[index] : nil
    }

    /// An answer named the shard of a point.
    ///
    /// - Returns: the shard, and those that cannot be there any more.
    mutating func learn(_ point: UInt128, _ name: String) -> (shard: Shard, gone: [Shard]) {
        let at = shard(of: point)
        if let at, at.name == name { return (at, []) }
        let shard = byName[name] ?? Shard(name: name, point: point)
        let (first, last) = (min(shard.first, point), max(shard.last, point))
        let gone = shards[index(from: first)...].prefix { $0.first <= last }.filter { $0 !== shard }
        for old in gone { remove(old) }
        (shard.first, shard.last) = (first, last)
        if byName.updateValue(shard, forKey: name) == nil { shards.insert(shard, at: index(from: first)) }
        return (shard, gone)
    }

    /// Stands for a shard that was not named: a lane of the hash space.
    mutating func learnLane(of point: UInt128) -> (shard: Shard, gone: [Shard]) {
        if let known = shard(of: point) { return (known, []) }
        let lane = Lane(truncatingIfNeeded: point >> 120)
        return learn(point, "lane-\(lane)")
    }

    private mutating func remove(_ shard: Shard) {
        byName[shard.name] = nil
        shards.removeAll { $0 === shard }
    }

    /// The place of the first shard that ends at the point or behind it.
    private func index(from point: UInt128) -> Int {
        var (low, high) = (0, shards.count)
        while low < high {
            let middle = (low + high) / 2
            if shards[middle].last < point { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The shards that take some of a lane's points, as far as is known.
    func shards(of lane: Lane) -> some Sequence<Shard> {
        let first = UInt128(lane) << 120
        let last = first | (UInt128.max >> 8)
        return shards[index(from: first)...].prefix { $0.first <= last }
    }

    /// How much of the hash space no answer has spoken of, 0...1.
    var unknown: Double {
        1 - shards.reduce(0.0) { $0 + Double($1.last - $1.first) / Double(UInt128.max) }
    }
}
