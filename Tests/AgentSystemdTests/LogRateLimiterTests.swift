// SPDX-License-Identifier: Apache-2.0

import AgentCore
import AgentSystemd
import Testing

private func at(_ seconds: Double) -> Instant { .zero + .seconds(seconds) }

@Suite struct LogRateLimiterTests {
    @Test func aBurstIsWrittenThenOneLineAnIntervalWithTheCount() {
        var limiter = LogRateLimiter(burst: 2, interval: .seconds(60))
        var written: [Double: Int] = [:]
        for second in stride(from: 0.0, through: 130, by: 10) {
            if case .write(let suppressed) = limiter.admit("connect", now: at(second)) { written[second] = suppressed }
        }
        #expect(written == [0: 0, 10: 0, 60: 4, 120: 5])
    }

    @Test func classesDoNotLimitEachOther() {
        var limiter = LogRateLimiter(burst: 1)
        #expect(limiter.admit("a", now: at(0)) == .write(suppressed: 0))
        #expect(limiter.admit("a", now: at(1)) == .suppress)
        #expect(limiter.admit("b", now: at(1)) == .write(suppressed: 0))
    }

    @Test func aClassThatWasSilentStartsAfreshAndTellsWhatWasLeftOut() {
        var limiter = LogRateLimiter(burst: 2, interval: .seconds(60))
        for second in 0..<5 { _ = limiter.admit("a", now: at(Double(second))) }
        #expect(limiter.admit("a", now: at(100)) == .write(suppressed: 3))
        #expect(limiter.admit("a", now: at(101)) == .write(suppressed: 0))
        #expect(limiter.admit("a", now: at(102)) == .suppress)
    }

    @Test func whatWasLeftOutOfAClassThatEndedIsToldOnce() {
        var limiter = LogRateLimiter(burst: 1, interval: .seconds(60))
        for second in 0..<4 { _ = limiter.admit("a", now: at(Double(second))) }
        _ = limiter.admit("b", now: at(3))
        #expect(limiter.settled(now: at(40)).isEmpty)
        #expect(limiter.settled(now: at(70)).map(\.name) == ["a"])
        #expect(limiter.settled(now: at(200)).isEmpty)
    }

    /// Every line is written, counted in a later line, or counted by `settled`.
    @Test(arguments: 0..<20 as Range<UInt64>) func nothingIsLeftOutUncounted(seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func random(_ bound: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % bound
        }
        var limiter = LogRateLimiter(burst: 3, interval: .seconds(10))
        var (now, accounted) = (Instant.zero, 0)
        for _ in 0..<2000 {
            now = now + .milliseconds(Int64(random(50) == 0 ? random(30_000) : random(2000)))
            accounted += limiter.settled(now: now).reduce(0) { $0 + $1.suppressed }
            if case .write(let suppressed) = limiter.admit("class \(random(5))", now: now) {
                accounted += suppressed + 1
            }
        }
        accounted += limiter.settled(now: now + .seconds(60)).reduce(0) { $0 + $1.suppressed }
        #expect(accounted == 2000)
    }

    @Test func theNumberOfClassesIsBounded() {
        var limiter = LogRateLimiter(burst: 1, maxClasses: 2)
        _ = limiter.admit("a", now: at(0))
        _ = limiter.admit("b", now: at(1))
        _ = limiter.admit("c", now: at(2))
        #expect(limiter.admit("b", now: at(3)) == .suppress)
        #expect(limiter.admit("a", now: at(3)) == .write(suppressed: 0))
    }
}
