// SPDX-License-Identifier: Apache-2.0

/// A change of a stream's shards: exactly one of a number, a split and a merge.
struct Resharding: Decodable, Equatable {
    var stream: String
    /// Equal ranges, any number: what UpdateShardCount does within bounds.
    var shards: Int?
    /// In the middle of its range.
    var split: String?
    var merge: [String]?

    /// Whether it can be meant, whatever shards the stream has.
    var isWellFormed: Bool {
        switch (shards, split, merge) {
        case (let count?, nil, nil): (1...10_000).contains(count)
        case (nil, _?, nil): true
        case (nil, nil, let pair?): pair.count == 2
        default: false
        }
    }

    static let form = "Give one of shards (1...10000), split, or merge with two ids."

    func carryOut(on store: inout StreamStore, now: Moment) throws(APIError) {
        guard isWellFormed else { throw APIError("InvalidArgumentException", Self.form) }
        if let shards { try store.reshard(stream, to: shards, now: now) }
        if let split {
            let range = try store.stream(stream).shard(id: split).range
            let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 2 + 1
            try store.split(stream, split, at: middle, now: now)
        }
        if let merge { try store.merge(stream, merge[0], merge[1], now: now) }
    }
}
