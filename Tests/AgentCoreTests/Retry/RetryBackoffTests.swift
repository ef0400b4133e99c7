// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct RetryBackoffTests {
    @Test func theRangeDoublesUpToItsCap() {
        let ranges = (1...12).map { Backoff.transient.range(failures: $0).wholeMilliseconds }
        #expect(ranges == [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000, 20_000])
        #expect(Backoff.throttled.range(failures: 1) == .seconds(1))
        #expect(Backoff.throttled.range(failures: 1_000_000) == .seconds(20))
        #expect(Backoff.transient.range(failures: 0) == .milliseconds(50))
    }

    @Test func delaysFillTheirRangeAndNeverLeaveIt() {
        var generator = SeededGenerator(seed: 1)
        for failures in 1...12 {
            let range = Backoff.transient.range(failures: failures)
            let delays = (0..<400).map { _ in Backoff.transient.delay(failures: failures, using: &generator) }
            #expect(delays.allSatisfy { (.zero...range).contains($0) })
            #expect(delays.contains { $0 < range / 4 } && delays.contains { $0 > range / 4 * 3 })
            let probes = (0..<400).map { _ in Backoff.transient.probeDelay(failures: failures, using: &generator) }
            #expect(probes.allSatisfy { (range / 2...range).contains($0) })
        }
    }

    @Test func theSameSeedGivesTheSameNumbers() {
        var (a, b, c) = (SeededGenerator(seed: 7), SeededGenerator(seed: 7), SeededGenerator(seed: 8))
        let numbers = (0..<10).map { _ in a.next() }
        #expect(numbers == (0..<10).map { _ in b.next() })
        #expect(numbers != (0..<10).map { _ in c.next() })
        var zero = SeededGenerator(seed: 0)
        // The published first number of SplitMix64 from 0.
        #expect(zero.next() == 0xe220_a839_7b1d_cdaf)
    }
}
