// SPDX-License-Identifier: Apache-2.0

/// How long to wait before trying again.
public struct Backoff: Hashable, Sendable {
    /// The range of the first wait, doubled with each further failure.
    public let base: Duration
    /// The longest range.
    public let cap: Duration

    public init(base: Duration, cap: Duration = .seconds(20)) {
        self.base = base
        self.cap = cap
    }

    /// For faults that pass by themselves. Base and cap are those of AWS's SDKs (retry behaviour of 2026).
    public static let transient = Backoff(base: .milliseconds(50))
    public static let throttled = Backoff(base: .seconds(1))

    /// `min(cap, base · 2ⁿ)`, n being the failures before the last one.
    public func range(failures: Int) -> Duration {
        var range = base.wholeNanoseconds
        let cap = cap.wholeNanoseconds
        for _ in 0..<max(0, min(failures - 1, 40)) where range < cap { range *= 2 }
        return .nanoseconds(min(range, cap))
    }

    /// Full jitter: uniform in 0...``range(failures:)``, so that many who failed together do not return together.
    public func delay(failures: Int, using generator: inout SeededGenerator) -> Duration {
        .nanoseconds(Int64.random(in: 0...range(failures: failures).wholeNanoseconds, using: &generator))
    }

    /// Uniform in the upper half of the range: for probes of what heals only when somebody does something.
    public func probeDelay(failures: Int, using generator: inout SeededGenerator) -> Duration {
        let range = range(failures: failures).wholeNanoseconds
        return .nanoseconds(Int64.random(in: range / 2...range, using: &generator))
    }
}
