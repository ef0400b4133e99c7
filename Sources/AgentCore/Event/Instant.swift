// SPDX-License-Identifier: Apache-2.0

/// A moment on a monotonic clock: nanoseconds since some fixed point, such as boot. Never wall time.
public struct Instant: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Instant(nanoseconds: 0)
    /// Later than anything that will be waited for.
    public static let never = Instant(nanoseconds: .max)

    @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds.addingReportingOverflow(b.wholeNanoseconds).partialValue)
    }
    /// The next multiple of `step`, counted from the clock's own start; the same, where the step is zero.
    public func rounded(upTo step: Duration) -> Instant {
        let step = step.wholeNanoseconds
        guard step > 0, nanoseconds >= 0, nanoseconds < .max - step else { return self }
        return Instant(nanoseconds: (nanoseconds + step - 1) / step * step)
    }

    @inlinable public static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(a.nanoseconds - b.nanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds, within ±292 years.
    @inlinable public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }

    @inlinable public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
    @inlinable public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
