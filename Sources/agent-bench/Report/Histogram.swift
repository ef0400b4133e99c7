// SPDX-License-Identifier: Apache-2.0

/// Counts of durations in log-linear buckets: 64 to each power of two, so that a quantile is at most 1.6 % too high.
struct Histogram {
    private static let precision = 6
    private var counts = [Int](repeating: 0, count: (65 - precision) << precision)
    private(set) var count = 0
    private(set) var maximum: UInt64 = 0

    mutating func record(_ nanoseconds: UInt64) {
        counts[Self.bucket(nanoseconds)] += 1
        count += 1
        maximum = max(maximum, nanoseconds)
    }

    /// The least recorded bucket's end that at least `share` (0...1) of all values are not above; 0 without values.
    func quantile(_ share: Double) -> UInt64 {
        let wanted = max(1, Int((share * Double(count)).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.enumerated() where count > 0 {
            seen += count
            if seen >= wanted { return min(Self.end(of: bucket), maximum) }
        }
        return maximum
    }

    /// Values below 2⁶ have a bucket each; above, the six bits behind the leading one choose it.
    private static func bucket(_ value: UInt64) -> Int {
        let exponent = UInt64.bitWidth - 1 - value.leadingZeroBitCount
        guard exponent >= precision else { return Int(value) }
        let shift = exponent - precision
        return ((shift + 1) << precision) + Int((value >> UInt64(shift)) & ((1 << UInt64(precision)) - 1))
    }

    /// The highest value of a bucket.
    private static func end(of bucket: Int) -> UInt64 {
        guard bucket >= 1 << precision else { return UInt64(bucket) }
        let shift = UInt64(bucket >> precision) - 1
        let leading = UInt64(1 << precision) + UInt64(bucket & ((1 << precision) - 1))
        return (leading << shift) + ((1 << shift) - 1)
    }
}
