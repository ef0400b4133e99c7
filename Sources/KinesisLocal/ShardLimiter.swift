// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// What a shard takes in, records and bytes of data and keys a second, each as a bucket that holds one second's worth.
struct ShardLimiter {
    /// The service's own: 1 000 records and 1 MiB a second and shard (API reference of PutRecords, read 2026-08-07).
    struct Rates: Sendable {
        var recordsPerSecond: Int64 = 1000
        var bytesPerSecond: Int64 = 1 << 20

        /// What either may be: no product of it overflows.
        static let bounds: ClosedRange<Int64> = 0...100_000_000
    }

    /// Buckets count in thousand-millionths, so that a nanosecond's refill is a whole number.
    private static let unit: Int64 = 1_000_000_000

    private let rates: Rates
    private var records: Int64
    private var bytes: Int64
    private var filledAt: Instant

    /// Buckets are full at first.
    init(rates: Rates = Rates(), now: Instant) {
        self.rates = rates
        records = rates.recordsPerSecond * Self.unit
        bytes = rates.bytesPerSecond * Self.unit
        filledAt = now
    }

    /// Takes a record if the shard has room for it. A record larger than a full bucket is taken when the bucket is
    /// full, and paid off afterwards.
    mutating func admit(bytes size: Int, now: Instant) -> Bool {
        refill(now: now)
        let cost = Int64(size) * Self.unit
        guard rates.bytesPerSecond > 0, records >= Self.unit, bytes >= min(cost, rates.bytesPerSecond * Self.unit)
        else { return false }
        records -= Self.unit
        bytes -= cost
        return true
    }

    private mutating func refill(now: Instant) {
        guard now > filledAt else { return }
        // Longer than it takes to fill an empty bucket, or to pay for the largest record, changes nothing more.
        let elapsed = min((now - filledAt).wholeNanoseconds, 60 * Self.unit)
        filledAt = now
        records = min(rates.recordsPerSecond * Self.unit, records + elapsed * rates.recordsPerSecond)
        bytes = min(rates.bytesPerSecond * Self.unit, bytes + elapsed * rates.bytesPerSecond)
    }
}
