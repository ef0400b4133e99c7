// SPDX-License-Identifier: Apache-2.0

/// How values are spread over fixed buckets. Any thread; recording is two atomic additions.
///
/// Values are whole numbers: nanoseconds for what is shown in seconds, else what is counted.
public final class Histogram: Sendable {
    /// What was recorded until some moment.
    public struct Reading: Sendable, Equatable {
        /// The largest value of each bucket but the last, which has no bound.
        public let bounds: [Double]
        /// Values in each bucket alone; one more than `bounds`.
        public let counts: [Int64]
        public let sum: Double

        public init(bounds: [Double], counts: [Int64], sum: Double) {
            self.bounds = bounds
            self.counts = counts
            self.sum = sum
        }
    }

    private let bounds: [Int64]
    /// What a value is divided by when it is shown.
    private let unit: Double
    private let buckets: [Counter]
    private let sum = Counter()

    private init(bounds: [Int64], unit: Double) {
        self.bounds = bounds
        self.unit = unit
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// For durations, which are shown in seconds.
    ///
    /// - Parameter milliseconds: ascending.
    public static func ofDurations(milliseconds: [Double]) -> Histogram {
        Histogram(bounds: milliseconds.map { Int64($0 * 1e6) }, unit: 1e9)
    }

    /// - Parameter bounds: ascending.
    public static func ofCounts(_ bounds: [Int64]) -> Histogram { Histogram(bounds: bounds, unit: 1) }

    /// - Parameter times: so many equal values at once.
    public func record(_ value: Int64, times: Int = 1) {
        // A dozen bounds: to look at them in turn is faster than to search.
        var bucket = 0
        while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
        buckets[bucket].add(times)
        sum.add(Int(value) * times)
    }

    public func record(_ duration: Duration, times: Int = 1) { record(duration.wholeNanoseconds, times: times) }

    /// While others record, the sum may be that of a moment later than the counts.
    public var reading: Reading {
        Reading(
            bounds: bounds.map { Double($0) / unit },
            counts: buckets.map(\.value),
            sum: Double(sum.value) / unit
        )
    }
}
