// SPDX-License-Identifier: Apache-2.0

/// All values of one metric at some moment.
public struct MetricFamily: Sendable {
    public enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    public enum Value: Sendable {
        case number(Double)
        case histogram(Histogram.Reading)
    }

    /// One value, and what tells it from the family's others.
    public struct Sample: Sendable {
        public let labels: [MetricLabel]
        public let value: Value

        public init(_ labels: [MetricLabel], _ value: Value) {
            self.labels = labels
            self.value = value
        }
    }

    /// With its unit: `agentd_queue_bytes`; of a counter, with `_total` behind it.
    public let name: String
    /// A sentence.
    public let help: String
    public let kind: Kind
    public var samples: [Sample]

    public init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample] = []) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }

    /// A family of one value without labels.
    public init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.init(name, kind, help, [Sample([], .number(value))])
    }

    public mutating func add(_ value: Double, _ labels: [MetricLabel]) {
        samples.append(Sample(labels, .number(value)))
    }
}

public struct MetricLabel: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
