// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentKinesis

@Suite struct RefreshScheduleTests {
    /// A schedule that expectations may change.
    private final class Subject {
        private var schedule: RefreshSchedule
        var kept: Result<Credentials, CredentialError>? { schedule.kept }
        var due: Instant { schedule.due }

        init(seed: UInt64) { schedule = RefreshSchedule(seed: seed) }

        @discardableResult
        func answered(_ found: Result<Credentials, CredentialError>, wall: WallTime, now: Instant) -> Bool {
            schedule.answered(found, wall: wall, now: now)
        }

        func isDue(wall: WallTime, now: Instant) -> Bool { schedule.isDue(wall: wall, now: now) }

        func refused(_ credentials: Credentials, now: Instant) -> Bool { schedule.refused(credentials, now: now) }
    }

    private let wall = WallTime(seconds: 1_000_000)
    private let boot = Instant(nanoseconds: 5_000_000_000)
    private let fault = CredentialError.refused(source: "a test", fault: "no")

    private func credentials(_ id: String, for seconds: Int64? = nil) -> Credentials {
        Credentials(
            accessKeyID: id,
            secretAccessKey: "s",
            expiration: seconds.map { WallTime(seconds: 1_000_000 + $0) },
            source: "a test"
        )
    }

    private func wait(_ schedule: Subject) -> Double { (schedule.due - boot) / .seconds(1) }

    @Test func nobodyWasAskedYet() {
        let schedule = Subject(seed: 1)
        #expect(schedule.kept == nil)
        #expect(schedule.due <= boot)
    }

    @Test func whatDoesNotEndIsNotGotAgain() {
        let schedule = Subject(seed: 1)
        #expect(schedule.answered(.success(credentials("A")), wall: wall, now: boot))
        #expect(schedule.due == .never)
        #expect(!schedule.answered(.success(credentials("A")), wall: wall, now: boot), "it is the same")
        #expect(schedule.answered(.success(credentials("B")), wall: wall, now: boot))
    }

    /// An hour is renewed 10 to 15 minutes ahead; a quarter of an hour by a quarter of itself at most.
    @Test(arguments: [(21_600, 900), (3600, 900), (900, 225), (60, 15)] as [(Int64, Int64)])
    func whatEndsIsGotAheadOfItsEndByEachAtAnotherMoment(_ lifetime: Int64, _ ahead: Int64) {
        let waits = (0..<200 as Range<UInt64>).map { seed in
            let schedule = Subject(seed: seed)
            schedule.answered(.success(credentials("A", for: lifetime)), wall: wall, now: boot)
            return wait(schedule)
        }
        for wait in waits {
            #expect((Double(lifetime - ahead)...Double(lifetime) - Double(ahead) * 0.66).contains(wait))
        }
        #expect((waits.max() ?? 0) - (waits.min() ?? 0) > Double(ahead) / 4)
    }

    @Test func theOldOnesAreGoodUntilTheyEndWhateverFails() {
        let schedule = Subject(seed: 1)
        schedule.answered(.success(credentials("A", for: 3600)), wall: wall, now: boot)
        #expect(!schedule.answered(.failure(fault), wall: WallTime(seconds: 1_003_000), now: boot))
        #expect(schedule.kept == .success(credentials("A", for: 3600)))
        #expect(wait(schedule) <= 1)
        // Asked at the moment of their end, not a minute later.
        for _ in 0..<10 { schedule.answered(.failure(fault), wall: WallTime(seconds: 1_003_595), now: boot) }
        #expect(wait(schedule) <= 5)
        #expect(schedule.answered(.failure(fault), wall: WallTime(seconds: 1_003_600), now: boot))
        #expect(schedule.kept == .failure(fault))
        #expect(schedule.answered(.success(credentials("B", for: 7200)), wall: WallTime(seconds: 1_003_700), now: boot))
    }

    @Test func failuresAreRepeatedAfterWaitsThatGrowToAMinute() {
        let schedule = Subject(seed: 1)
        var waits: [Double] = []
        for _ in 0..<12 {
            schedule.answered(.failure(fault), wall: wall, now: boot)
            waits.append(wait(schedule))
        }
        for (n, wait) in waits.enumerated() {
            let range = min(60, Double(1 << n))
            #expect((range / 2...range).contains(wait))
        }
    }

    @Test func theSameOnesNearTheirEndAreUsedAndAskedForAgainSoon() {
        let schedule = Subject(seed: 1)
        let old = credentials("A", for: 3600)
        schedule.answered(.success(old), wall: wall, now: boot)
        for seconds in [3500, 3599, 3700] as [Int64] {
            #expect(!schedule.answered(.success(old), wall: WallTime(seconds: 1_000_000 + seconds), now: boot))
            #expect(schedule.kept == .success(old))
            #expect((0.5...4).contains(wait(schedule)))
        }
    }

    @Test func theSameOnesFarFromTheirEndKeepTheirTime() {
        let schedule = Subject(seed: 1)
        schedule.answered(.success(credentials("A", for: 3600)), wall: wall, now: boot)
        let first = wait(schedule)
        schedule.answered(.success(credentials("A", for: 3600)), wall: WallTime(seconds: 1_000_100), now: boot)
        #expect(abs(wait(schedule) - (first - 100)) < 0.01)
    }

    /// The clock may be wrong: whether they are good is for the service to say.
    @Test func newOnesAreUsedEvenIfTheyHaveEndedByThisClock() {
        let schedule = Subject(seed: 1)
        #expect(schedule.answered(.success(credentials("A", for: -100_000)), wall: wall, now: boot))
        #expect(schedule.kept == .success(credentials("A", for: -100_000)))
        #expect(wait(schedule) <= 1)
    }

    @Test func whatDoesNotEndIsGivenUpOnceItIsGone() {
        let schedule = Subject(seed: 1)
        let gone = CredentialError.notFound(lookedAt: ["a test"])
        schedule.answered(.success(credentials("A")), wall: wall, now: boot)
        #expect(!schedule.answered(.failure(fault), wall: wall, now: boot), "who gives them does not answer")
        #expect(schedule.kept == .success(credentials("A")))
        #expect((0.5...1).contains(wait(schedule)))
        #expect(schedule.answered(.failure(gone), wall: wall, now: boot))
        #expect(schedule.kept == .failure(gone))
    }

    /// 9999 is what some write who mean that there is no end.
    @Test(arguments: [200, 2000, 9999, 292_000_000] as [Int64])
    func anEndHoweverFarOffIsAskedForOnceADay(years: Int64) {
        let schedule = Subject(seed: 1)
        let seconds = years * 365 * 86_400
        schedule.answered(.success(credentials("A", for: seconds)), wall: wall, now: boot)
        #expect(wait(schedule) == 86_400)
        schedule.answered(.failure(fault), wall: wall, now: boot)
        #expect((0.5...1).contains(wait(schedule)))
    }

    /// Booted with a clock 30 days slow, which is then set.
    @Test func aClockThatIsSetDoesNotMakeItLate() {
        let schedule = Subject(seed: 1)
        let slow = WallTime(seconds: 1_000_000 - 30 * 86_400)
        schedule.answered(.success(credentials("A", for: 3600)), wall: slow, now: boot)
        let later = boot + .seconds(60)
        #expect(!schedule.isDue(wall: slow, now: later))
        #expect(!schedule.isDue(wall: wall, now: later))
        #expect(schedule.isDue(wall: WallTime(seconds: 1_003_500), now: later))
    }

    /// They ended already by a clock that was fast: once it is set they are renewed ahead of their end like all others.
    @Test func aClockThatWasFastDoesNotMakeItLate() {
        let schedule = Subject(seed: 1)
        let fast = WallTime(seconds: 1_000_000 + 30 * 86_400)
        schedule.answered(.success(credentials("A", for: 3600)), wall: fast, now: boot)
        schedule.answered(.success(credentials("A", for: 3600)), wall: wall, now: boot)
        #expect(wait(schedule) < 3600 - 500)
    }

    @Test func refusedOnesAreGotAnewAtOnceButNotInALoop() {
        let schedule = Subject(seed: 1)
        schedule.answered(.success(credentials("A")), wall: wall, now: boot)
        #expect(!schedule.refused(credentials("NOBODY"), now: boot))
        #expect(schedule.due == .never)
        #expect(schedule.refused(credentials("A"), now: boot))
        #expect(schedule.due == boot + .seconds(1))
        #expect(schedule.refused(credentials("A"), now: boot + .seconds(9)))
        #expect(schedule.due == boot + .seconds(1), "as soon as was said first")
        schedule.answered(.success(credentials("A")), wall: wall, now: boot + .seconds(9))
        #expect(schedule.due == .never)
        #expect(schedule.refused(credentials("A"), now: boot + .seconds(20)))
        #expect(schedule.due == boot + .seconds(20))
    }
}
