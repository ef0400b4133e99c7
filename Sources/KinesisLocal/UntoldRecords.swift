// SPDX-License-Identifier: Apache-2.0

/// Records that are stored while their client does not know it: the answer is under way, was spoiled by a fault, or
/// found the connection closed.
///
/// Whoever sends such a record again has reason to. All others are repeated for no reason, which makes the journal a
/// judge of repeats.
struct UntoldRecords {
    /// Ordinals that one put stored, in the order in which they were.
    private var puts: [Range<UInt64>] = []

    var count: Int { puts.reduce(0) { $0 + $1.count } }

    /// A put stored records; nobody was told yet. Ordinals must grow.
    mutating func stored(_ ordinals: Range<UInt64>) {
        if !ordinals.isEmpty { puts.append(ordinals) }
    }

    /// The answer that says what a put stored went out whole.
    mutating func told(_ ordinals: Range<UInt64>) {
        let index = index(of: ordinals.lowerBound)
        if index < puts.count, puts[index] == ordinals { puts.remove(at: index) }
    }

    func contains(_ ordinal: UInt64) -> Bool {
        let index = index(of: ordinal)
        return index < puts.count && puts[index].contains(ordinal)
    }

    /// The first put that ends after `ordinal`.
    private func index(of ordinal: UInt64) -> Int {
        var (low, high) = (0, puts.count)
        while low < high {
            let middle = (low + high) / 2
            if puts[middle].upperBound > ordinal { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
