// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

/// A pace against a shard that takes some part of what shards take: as many records as the pace lets go, in requests
/// that take two fifths of the time between them.
struct ShardPaceTests {
    private struct Run {
        var sent = 0
        var refused = 0
        var pace = ShardPace(now: .zero)
        var now = Instant.zero
        /// The shard's own bucket, in records, which holds a second's worth.
        var room: Double
        private var generator = SeededGenerator(seed: 3)
        private var attempts: UInt64 = 0

        init(_ limit: Double) { room = limit }

        /// - Parameter loss: Of the records that the shard had room for, so many are refused all the same.
        mutating func go(_ limit: Double, seconds: Int, bytes: Int = 200, loss: Double = 0, every: Int = 50) {
            let end = now + .seconds(seconds)
            while now < end {
                attempts += 1
                let (attempt, began) = (AttemptID(attempts), now)
                var (accepted, refused) = (0, 0)
                while accepted + refused < 500, pace.permits(now: now) {
                    pace.spend(bytes: bytes, attempt: attempt, now: now)
                    if room >= 1, Double.random(in: 0..<1, using: &generator) >= loss {
                        room -= 1
                        accepted += 1
                    } else {
                        refused += 1
                    }
                    if pace.isShut { break }
                }
                now = now + .milliseconds(every * 2 / 5)
                pace.answered(
                    attempt,
                    accepted: .records(accepted, of: bytes),
                    refused: .records(refused, of: bytes),
                    began: began,
                    isBacklogged: true,
                    now: now,
                    generator: &generator
                )
                sent += accepted + refused
                self.refused += refused
                now = now + .milliseconds(every * 3 / 5)
                room = min(limit, room + limit * Double(every) / 1000)
            }
        }

        mutating func reset() { (sent, refused) = (0, 0) }
        var accepted: Int { sent - refused }
        var wasted: Double { Double(refused) / Double(max(1, sent)) }
    }

    @Test(arguments: [20.0, 100, 300, 700])
    func aShardAtItsLimitGetsThatAndWastesLessThanATwentieth(limit: Double) {
        var run = Run(limit)
        run.go(limit, seconds: 20)
        run.reset()
        run.go(limit, seconds: 60)
        #expect(run.wasted < 0.05, "\(run.refused) of \(run.sent)")
        #expect(Double(run.accepted) > 0.85 * limit * 60, "\(run.accepted) of \(limit * 60)")
    }

    @Test func aShardIsNeverAskedForMoreThanItTakes() {
        var run = Run(1_000_000)
        run.go(1_000_000, seconds: 30)
        #expect((25_000...31_000).contains(run.sent), "\(run.sent)")
    }

    @Test func bytesAreLimitedLikeRecords() {
        var run = Run(1_000_000)
        run.go(1_000_000, seconds: 30, bytes: 32 << 10)
        // 32 of them are what a shard takes a second.
        #expect((800...1000).contains(run.sent), "\(run.sent)")
    }

    @Test(arguments: [0.01, 0.05], [5, 50])
    func whatIsRefusedAtRandomDoesNotSlowItDown(loss: Double, every: Int) {
        var run = Run(1_000_000)
        run.go(1_000_000, seconds: 10, loss: loss, every: every)
        run.reset()
        run.go(1_000_000, seconds: 60, loss: loss, every: every)
        #expect(run.accepted > 50_000, "\(run.accepted)")
    }

    @Test(arguments: [5.0, 40, 300])
    func aShardAtItsLimitThatRefusesMoreAtRandomGetsMostOfIt(limit: Double) {
        var run = Run(limit)
        run.go(limit, seconds: 20, loss: 0.03)
        run.reset()
        run.go(limit, seconds: 120, loss: 0.03)
        #expect(Double(run.accepted) > 0.75 * limit * 120, "\(run.accepted) of \(limit * 120)")
        #expect(run.wasted < 0.1, "\(run.refused) of \(run.sent)")
    }

    @Test func aShardThatTakesNothingIsAskedNowAndThen() {
        var run = Run(0)
        run.go(0, seconds: 10)
        run.reset()
        run.go(0, seconds: 300)
        #expect((10...60).contains(run.sent), "\(run.sent)")
    }

    @Test func aShardThatTakesRecordsAgainIsAtItsLimitWithinSeconds() {
        var run = Run(0)
        run.go(0, seconds: 10)
        while run.pace.isShut { run.go(800, seconds: 1) }
        run.go(800, seconds: 6)
        run.reset()
        run.go(800, seconds: 5)
        #expect(run.accepted > 3000, "\(run.accepted)")
    }

    @Test func aShardThatLosesCapacityIsFollowed() {
        var run = Run(1000)
        run.go(1000, seconds: 20)
        run.reset()
        run.go(200, seconds: 5)
        run.reset()
        run.go(200, seconds: 30)
        #expect(run.wasted < 0.05, "\(run.refused) of \(run.sent)")
    }

    @Test func aRecordLargerThanASecondsWorthHoldsTheNextUpForSecondsAtMost() {
        var pace = ShardPace(now: .zero)
        pace.spend(bytes: 10 << 20, attempt: AttemptID(1), now: .zero + .seconds(1))
        let next = pace.permitsAt(now: .zero + .seconds(1))
        #expect(next > .zero + .seconds(5) && next < .zero + .seconds(15))
    }

    @Test func whenItPermitsIsWhenItSaidItWould() {
        var generator = SeededGenerator(seed: 9)
        var pace = ShardPace(now: .zero)
        var now = Instant.zero
        for attempt in 1...2000 as ClosedRange<UInt64> {
            let at = pace.permitsAt(now: now)
            #expect(at >= now)
            if at == .never { break }
            #expect(pace.permits(now: at))
            now = at
            pace.spend(bytes: Int.random(in: 1...200_000, using: &generator), attempt: AttemptID(attempt), now: now)
            let isRefused = Int.random(in: 0..<4, using: &generator) == 0
            pace.answered(
                AttemptID(attempt),
                accepted: .records(isRefused ? 0 : 1, of: 10_000),
                refused: .records(isRefused ? 1 : 0, of: 10_000),
                began: now,
                isBacklogged: true,
                now: now,
                generator: &generator
            )
        }
    }
}

extension ShardUse {
    fileprivate static func records(_ count: Int, of bytes: Int) -> ShardUse {
        var use = ShardUse()
        for _ in 0..<count { use.add(bytes: bytes) }
        return use
    }
}
