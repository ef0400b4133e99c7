// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Something that is counted since the start of the agent, and only grows. Any thread; counting is one atomic addition.
public final class Counter: Sendable {
    private let count = Atomic<Int64>(0)

    public init() {}

    /// - Parameter count: not negative.
    public func add(_ count: Int = 1) { self.count.wrappingAdd(Int64(count), ordering: .relaxed) }

    public var value: Int64 { count.load(ordering: .relaxed) }
}

/// Something that goes up and down. Any thread; a change is one atomic addition.
public final class Gauge: Sendable {
    private let level = Atomic<Int64>(0)

    public init() {}

    public func add(_ change: Int) { level.wrappingAdd(Int64(change), ordering: .relaxed) }

    public var value: Int64 { level.load(ordering: .relaxed) }
}
