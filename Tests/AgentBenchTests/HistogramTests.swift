// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import agent_bench

struct HistogramTests {
    @Test func quantilesAreNeverBelowTheTrueOnesAndAtMostOneBucketAbove() {
        var histogram = Histogram()
        var values: [UInt64] = []
        var state: UInt64 = 42
        for _ in 0..<10_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // All magnitudes from nanoseconds to minutes.
            values.append(state >> (24 + state % 40))
            histogram.record(values[values.count - 1])
        }
        values.sort()
        for share in [0.001, 0.25, 0.5, 0.9, 0.99, 1] {
            let exact = values[max(0, Int((share * Double(values.count)).rounded(.up)) - 1)]
            let found = histogram.quantile(share)
            #expect(found >= exact)
            #expect(Double(found) <= Double(exact) * 1.016 + 1)
        }
        #expect(histogram.count == values.count)
        #expect(histogram.quantile(1) == values[values.count - 1])
    }

    @Test(arguments: [0, 1, 63, 64, 65, 127, 128, UInt64.max - 1, .max])
    func aSingleValueIsItsOwnQuantile(value: UInt64) {
        var histogram = Histogram()
        histogram.record(value)
        #expect(histogram.quantile(0) == value)
        #expect(histogram.quantile(0.99) == value)
    }

    @Test func nothingRecordedIsZero() { #expect(Histogram().quantile(0.99) == 0) }
}
