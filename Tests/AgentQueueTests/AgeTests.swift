// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Synchronization
import Testing

@testable import AgentQueue

struct AgeTests {
    @Test func expiresTheOldestFirstAndReportsIt() throws {
        let fixture = try QueueFixture { $0.maxAge = .seconds(60) }
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.time.advance(.seconds(40))
        try fixture.append(fixture.events(2, to: id))
        fixture.upkeep()
        #expect(fixture.totals.expired == 0)
        fixture.time.advance(.seconds(20))
        fixture.upkeep()
        #expect(try fixture.ids(id) == [4, 5])
        #expect(fixture.totals.expired == 3)
        #expect(fixture.totals.isBalanced)
        let removed = fixture.recorder.commits.flatMap(\.removed)
        #expect(removed.map(\.through) == [EventID(3)])
        #expect(removed.map(\.cause) == [.expired])
    }

    @Test func upkeepComesByItself() throws {
        let fixture = try QueueFixture {
            $0.maxAge = .seconds(60)
            $0.upkeepDelay = .milliseconds(1)
        }
        fixture.time.advance(.seconds(1))
        try fixture.append(fixture.events(1, to: fixture.destination()))
        fixture.time.advance(.seconds(60))
        fixture.recorder.removal.wait()
        #expect(fixture.totals.expired == 1)
    }

    @Test func aClockThatJumpsExpiresNothing() throws {
        let fixture = try QueueFixture { $0.maxAge = .seconds(60) }
        try fixture.append(fixture.events(3, to: fixture.destination()))
        fixture.time.state.withLock { $0.wallMS += 100 * 365 * 86_400_000 }
        fixture.upkeep()
        #expect(fixture.totals.expired == 0)
    }

    @Test func downTimeCountsOnOneBootByUptime() throws {
        let fixture = try QueueFixture { $0.maxAge = .seconds(60) }
        try fixture.append(fixture.events(3, to: fixture.destination()))
        fixture.queue.close()
        fixture.time.state.withLock {
            $0.uptimeNS += 61_000_000_000
            $0.isTrusted = false
        }
        try fixture.reopen()
        fixture.upkeep()
        #expect(fixture.totals.expired == 3)
    }

    @Test(arguments: [true, false])
    func downTimeAcrossBootsCountsUnderATrustedClockOnly(isTrusted: Bool) throws {
        let fixture = try QueueFixture { $0.maxAge = .seconds(60) }
        try fixture.append(fixture.events(3, to: fixture.destination()))
        fixture.queue.close()
        fixture.time.state.withLock {
            $0.boot = "boot-2"
            $0.uptimeNS = 5_000_000_000
            $0.wallMS += 61_000
            $0.isTrusted = isTrusted
        }
        try fixture.reopen()
        fixture.upkeep()
        #expect(fixture.totals.expired == (isTrusted ? 3 : 0))
    }

    @Test func agesNeverGrowBackwards() {
        let mark = AgentClock.Mark(agentMS: 1000, wallMS: 9000, isWallTrusted: true, boot: "a", uptimeNS: 7)
        let clock = AgentClock(resuming: mark, wallMS: 2000, isWallTrusted: true, boot: "b", uptimeNS: 0)
        #expect(clock.now(uptimeNS: 0) == 1000)
    }

    @Test func aRequeuedEventIsYoungAgain() throws {
        let fixture = try QueueFixture { $0.maxAge = .seconds(60) }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        fixture.bury([1], of: id)
        fixture.time.advance(.seconds(100))
        #expect(try fixture.requeue([1]) == 1)
        fixture.upkeep()
        #expect(try fixture.ids(id) == [2])
    }
}
