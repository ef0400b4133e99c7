// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

// How metrics are made
// ====================
//
// Who does something that is worth counting asks the registry once, at start, for a counter, gauge or histogram, and
// keeps it. To record is an atomic addition on what is kept: no lock, no look-up by name, nothing allocated. Where events
// are many, it is done once for a batch of them. A scrape reads the same atomics.
//
// What is known anyway when somebody asks, such as the totals that the queue file keeps, is not counted a second time:
// it is made into a family at the scrape.

/// Where what is counted is handed out, and read. Any thread.
public final class MetricRegistry: Sendable {
    private enum Source {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)

        var kind: MetricFamily.Kind {
            switch self {
            case .counter: .counter
            case .gauge: .gauge
            case .histogram: .histogram
            }
        }

        var value: MetricFamily.Value {
            switch self {
            case .counter(let counter): .number(Double(counter.value))
            case .gauge(let gauge): .number(Double(gauge.value))
            case .histogram(let histogram): .histogram(histogram.reading)
            }
        }
    }

    private struct Family {
        let name: String
        let help: String
        var members: [(labels: [MetricLabel], source: Source)]
    }

    /// Guards who is registered. What is counted is not asked for it.
    private let registered = Mutex<[Family]>([])

    public init() {}

    public func counter(_ name: String, _ help: String, _ labels: [MetricLabel] = []) -> Counter {
        let counter = Counter()
        register(name, help, labels, .counter(counter))
        return counter
    }

    public func gauge(_ name: String, _ help: String, _ labels: [MetricLabel] = []) -> Gauge {
        let gauge = Gauge()
        register(name, help, labels, .gauge(gauge))
        return gauge
    }

    public func histogram(
        _ name: String,
        _ help: String,
        _ histogram: Histogram,
        _ labels: [MetricLabel] = []
    ) -> Histogram {
        register(name, help, labels, .histogram(histogram))
        return histogram
    }

    private func register(_ name: String, _ help: String, _ labels: [MetricLabel], _ source: Source) {
        registered.withLock { families in
            if let index = families.firstIndex(where: { $0.name == name }) {
                families[index].members.append((labels, source))
            } else {
                families.append(Family(name: name, help: help, members: [(labels, source)]))
            }
        }
    }

    /// What was recorded until now, in the order of registration.
    public var families: [MetricFamily] {
        registered.withLock { $0 }.compactMap { family in
            guard let kind = family.members.first?.source.kind else { return nil }
            return MetricFamily(
                family.name,
                kind,
                family.help,
                family.members.map { MetricFamily.Sample($0.labels, $0.source.value) }
            )
        }
    }
}

/// Counters that differ in one label, of which not all values are known from the start. Any thread.
public final class LabelledCounters: Sendable {
    /// The value of the label for all that are more than may be.
    public static let rest = "other"

    private let registry: MetricRegistry
    private let name: String
    private let help: String
    private let label: String
    private let limit: Int
    private let known = Mutex<[String: Counter]>([:])

    /// - Parameters:
    ///   - values: those that are shown before anything was counted.
    ///   - limit: of different values; others are counted together, under ``rest``.
    public init(
        _ registry: MetricRegistry,
        _ name: String,
        _ help: String,
        label: String,
        values: [String],
        limit: Int = 64
    ) {
        self.registry = registry
        self.name = name
        self.help = help
        self.label = label
        self.limit = limit
        for value in values { _ = self[value] }
    }

    /// The same one for a value each time; who counts often keeps it.
    public subscript(_ value: String) -> Counter {
        known.withLock { known in
            if let counter = known[value] { return counter }
            let value = known.count < limit ? value : Self.rest
            if let counter = known[value] { return counter }
            let counter = registry.counter(name, help, [MetricLabel(label, value)])
            known[value] = counter
            return counter
        }
    }
}
