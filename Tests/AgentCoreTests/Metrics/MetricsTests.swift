// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentCore

@Suite struct MetricsTests {
    private func text(_ families: [MetricFamily]) -> String {
        String(decoding: PrometheusText.text(of: families), as: UTF8.self)
    }

    @Test func membersOfAFamilyStandUnderOneHead() {
        let registry = MetricRegistry()
        registry.counter("a_total", "Things.", [MetricLabel("kind", "x")]).add(3)
        _ = registry.gauge("b_bytes", "Room.")
        registry.counter("a_total", "Things.", [MetricLabel("kind", "y")]).add()
        #expect(
            text(registry.families) == """
                # HELP a_total Things.
                # TYPE a_total counter
                a_total{kind="x"} 3
                a_total{kind="y"} 1
                # HELP b_bytes Room.
                # TYPE b_bytes gauge
                b_bytes 0

                """
        )
    }

    @Test func aHistogramShowsHowManyAreWithinEachBound() {
        let histogram = Histogram.ofDurations(milliseconds: [1, 10])
        histogram.record(.milliseconds(1))
        histogram.record(.milliseconds(2), times: 2)
        histogram.record(.seconds(5))
        let family = MetricFamily("d_seconds", .histogram, "How long.", [.init([], .histogram(histogram.reading))])
        #expect(
            text([family]) == """
                # HELP d_seconds How long.
                # TYPE d_seconds histogram
                d_seconds_bucket{le="0.001"} 1
                d_seconds_bucket{le="0.01"} 3
                d_seconds_bucket{le="+Inf"} 4
                d_seconds_sum 5.005
                d_seconds_count 4

                """
        )
    }

    @Test func whatWouldEndAValueOrALineIsEscaped() {
        let family = MetricFamily(
            "a",
            .gauge,
            "Back\\slash\nand \"quote\".",
            [.init([MetricLabel("x", "a\"b\\c\nd")], .number(.infinity))]
        )
        #expect(
            text([family]) == """
                # HELP a Back\\\\slash\\nand "quote".
                # TYPE a gauge
                a{x="a\\"b\\\\c\\nd"} +Inf

                """
        )
    }

    @Test func aFamilyWithoutValuesIsNotShown() {
        #expect(text([MetricFamily("a", .gauge, "Nothing.")]).isEmpty)
    }

    @Test func valuesOfALabelBeyondTheBoundAreCountedTogether() {
        let registry = MetricRegistry()
        let counters = LabelledCounters(registry, "r_total", "R.", label: "reason", values: ["a"], limit: 2)
        for reason in ["a", "b", "c", "d", "c"] { counters[reason].add() }
        #expect(
            registry.families[0].samples.map { "\($0.labels[0].value) \($0.value)" } == [
                "a number(1.0)", "b number(1.0)", "other number(3.0)",
            ]
        )
    }

    @Test func nothingThatIsCountedAtOnceIsMissed() async {
        let counter = Counter()
        let histogram = Histogram.ofCounts([1, 2])
        await withTaskGroup { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    for index in 0..<10_000 {
                        counter.add()
                        histogram.record(Int64(index % 4))
                    }
                }
            }
        }
        #expect(counter.value == 40_000)
        #expect(histogram.reading.counts == [20_000, 10_000, 10_000])
        #expect(histogram.reading.sum == 60_000)
    }
}
