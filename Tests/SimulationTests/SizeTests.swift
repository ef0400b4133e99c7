// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

/// What holds at sizes at which work, memory or requests would be the trouble, were they not bounded.
@Suite(.serialized)
struct SizeTests {
    private static func manyKeys(_ count: Int) -> [Scenario.Key] {
        (0..<count).map { Scenario.Key(EventKey(partitionKey: "key-\($0)")) }
    }

    /// One event of each key, as fast as they come.
    private static func post(_ fleet: inout Fleet, to stream: Int, keys: [Scenario.Key], overSeconds seconds: Int) {
        let steps = seconds * 20
        for step in 0..<steps {
            for key in keys[keys.count * step / steps..<keys.count * (step + 1) / steps] {
                fleet.add(step * 50, .postKey(stream: stream, key: key, count: 1, mark: .fine))
            }
        }
    }

    private static func work(_ simulation: Simulation) -> Int { simulation.process?.machine.work ?? 0 }

    private static func status(_ simulation: Simulation) -> [DestinationStatus] {
        simulation.process?.machine.status() ?? []
    }

    // MARK: Throttled shards

    @Test func aHundredThousandThrottledKeysCostTheirStreamAlone() {
        var fleet = Fleet(well: 1, others: 1, othersRate: 0)
        let calm = fleet.run()
        for shard in 0..<4 { fleet.add(0, .choke(0, shard: shard)) }
        Self.post(&fleet, to: 0, keys: Self.manyKeys(100_000), overSeconds: 20)
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        #expect(run.rate(of: 1) >= 0.95 * calm.rate(of: 1))
        let status = Self.status(run)
        #expect(status[0].limitedBy == .throttling && status[0].state == .ok)
        // Some requests were under way when the first refusals came, and then each shard is asked now and then.
        #expect(status[0].throttled < 4000, "\(status[0].throttled) records refused")
        #expect(run.summary.mostReferences <= 16_384 + 500, "\(run.summary.mostReferences)")
        // What is looked at and forgotten, for each event that came in.
        #expect(Self.work(run) - Self.work(calm) < 4 * 100_000, "\(Self.work(run)), calm \(Self.work(calm))")
    }

    @Test func keysOfAHealthyShardRunAtFullRateBesideThrottledOnes() {
        let keys = Self.manyKeys(40_000)
        // Shards 2 and 3 take nothing; the other two are to carry 900 records a second each.
        var fleet = Fleet(well: 1, rate: 0)
        for shard in [2, 3] { fleet.add(0, .choke(0, shard: shard)) }
        let healthy = keys.filter { Fleet.shard(of: $0.key) < 2 }
        let sick = keys.filter { Fleet.shard(of: $0.key) >= 2 }
        Self.post(&fleet, to: 0, keys: healthy, overSeconds: 11)
        Self.post(&fleet, to: 0, keys: sick, overSeconds: 11)
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        let arrived = run.checker.arrivals(by: .zero + .seconds(15)) { Fleet.shard(of: $0.event.key) < 2 }
        #expect(arrived == healthy.count, "\(arrived) of \(healthy.count)")
        #expect(run.summary.mostReferences <= 16_384 + 500)
    }

    @Test func aBacklogOfOneShardAtItsLimitWastesFewRecords() {
        var fleet = Fleet(well: 1, rate: 0, limits: .init(records: 200, bytes: 200_000))
        Self.post(&fleet, to: 0, keys: Self.manyKeys(30_000), overSeconds: 1)
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        let arrived = run.checker.arrivals(by: Fleet.end) { _ in true }
        let refused = Self.status(run)[0].throttled
        // Four shards of 200 a second.
        #expect(arrived > 800 * 26, "\(arrived)")
        // Four requests of 500 may be under way before the first of them tells.
        let later = refused - 2000
        #expect(Double(later) < 0.05 * Double(arrived + later), "\(refused) refused, \(arrived) arrived")
    }

    @Test func throttledEventsWithoutKeysFindTheShardsThatTakeThem() {
        var fleet = Fleet(well: 1, rate: 0)
        for shard in [1, 2, 3] { fleet.add(0, .choke(0, shard: shard)) }
        for ms in stride(from: 0, to: 20_000, by: 50) {
            fleet.add(ms, .postKey(stream: 0, key: .init(.none), count: 40, mark: .fine))
        }
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        let arrived = run.checker.arrivals(by: .zero + .seconds(25)) { _ in true }
        #expect(arrived == 16_000, "\(arrived)")
    }

    // MARK: Streams

    @Test func idleStreamsCostNothing() {
        func work(idle: Int) -> Int {
            let fleet = Fleet(well: 1, rate: 1000, others: idle, othersRate: 0)
            let run = fleet.run()
            #expect(run.checker.violation == nil)
            // Each is looked at when it is opened.
            return Self.work(run) - 2 * idle
        }
        let (one, many) = (work(idle: 0), work(idle: 5000))
        #expect(Double(many) < 1.02 * Double(one), "\(many) with 5000 idle streams, \(one) without")
    }

    @Test func workGrowsWithWhatIsPostedAndNotWithTheStreamsThatTakeIt() {
        func work(streams: Int) -> Double {
            let fleet = Fleet(well: streams, rate: 8000 / streams, limits: .init(records: 1e6, bytes: 1e9))
            let run = fleet.run()
            #expect(run.checker.violation == nil)
            return Double(Self.work(run)) / Double(run.summary.requests + fleet.scenario.deeds.count)
        }
        let (few, many) = (work(streams: 4), work(streams: 400))
        #expect(many < 2 * few, "\(many) a post and request with 400 streams, \(few) with 4")
    }

    @Test(arguments: [(4, 20), (400, 3)])
    func manyActiveStreamsSendFullerRequests(streams: Int, requestsOfEach: Int) {
        // An event every 50 ms, which is the linger, and more workers than it takes.
        var fleet = Fleet(well: streams, rate: 20, limits: .init(records: 1e6, bytes: 1e9))
        fleet.scenario.settings.workers = 1000
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        let most = streams * requestsOfEach * Fleet.seconds * 5 / 4
        #expect(run.summary.requests < most, "\(run.summary.requests) requests, \(most) at most")
        let arrived = run.checker.arrivals(by: Fleet.end) { _ in true }
        #expect(arrived > streams * 20 * (Fleet.seconds - 2), "\(arrived)")
    }

    // MARK: Outages

    @Test(arguments: [1, 3, 1000])
    func aSharedOutageIsProbedOnce(streams: Int) {
        var fleet = Fleet(well: streams, rate: 0, isShared: true)
        for stream in 0..<streams {
            fleet.add(10, .post(stream: stream, count: 1, isAwaited: false))
            fleet.spoil(stream, .serverErrors)
        }
        let simulation = Simulation(fleet.scenario)
        _ = simulation.run(until: .zero + .seconds(2))
        #expect(simulation.checker.violation == nil)
        #expect(simulation.summary.requests <= 14, "\(simulation.summary.requests) requests in two seconds")
    }

    @Test func afterASharedOutageAllAreDelivered() {
        var fleet = Fleet(well: 1000, rate: 0, isShared: true)
        for stream in 0..<1000 { fleet.add(10, .post(stream: stream, count: 3, isAwaited: false)) }
        fleet.scenario.weather = [
            Weather(kind: .serverErrors, scope: .everything, from: .zero, until: .zero + .seconds(10), probability: 1)
        ]
        let simulation = Simulation(fleet.scenario)
        #expect(simulation.run() == nil)
        #expect(simulation.checker.arrivals(by: .zero + .seconds(45)) { _ in true } == 3000)
    }

    @Test(arguments: [true, false])
    func eventsThatCannotBeSentDoNotFillTheMemory(isShared: Bool) {
        var fleet = Fleet(well: 300, rate: 0, isShared: isShared)
        for stream in 0..<300 {
            fleet.scenario.streams[stream].large = 1
            fleet.add(stream * 5, .post(stream: stream, count: 1, isAwaited: false))
            fleet.spoil(stream, .unreachable)
        }
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        // What is allowed, and one event for each worker beyond it, with what events take beside their data.
        #expect(run.summary.mostOver <= 8 * ((1 << 20) + 128), "\(run.summary.mostOver) bytes beyond what is allowed")
        // A probe now and then, of one event each.
        #expect(run.queue.loadedBytes < 1 << 30, "\(run.queue.loadedBytes >> 20) MiB read in half a minute")
    }

    // MARK: Links and retries

    @Test func aNarrowLinkMakesProgressAndRepeatsLittle() {
        var fleet = Fleet(well: 1, rate: 0)
        fleet.add(0, .post(stream: 0, count: 12_000, isAwaited: false))
        fleet.scenario.weather = [
            Weather(
                kind: .narrow,
                scope: .everything,
                from: .zero,
                until: .zero + .seconds(3600),
                probability: 1
            )
        ]
        fleet.scenario.calm = .zero + .seconds(300)
        let simulation = Simulation(fleet.scenario)
        _ = simulation.run(until: .zero + .seconds(300))
        #expect(simulation.checker.violation == nil)
        // 12 000 events of some 200 bytes are 50 seconds of the link.
        let arrived = simulation.checker.arrivals(by: .zero + .seconds(200)) { _ in true }
        #expect(arrived == 12_000, "\(arrived)")
        #expect(simulation.checker.duplicates < 3000, "\(simulation.checker.duplicates) copies")
    }

    @Test func eventsThatTakeMostOfTheTimeAllowedAreDelivered() {
        var fleet = Fleet(well: 1, rate: 0)
        // A megabyte takes 21 of 30 seconds alone.
        fleet.scenario.streams[0].large = 1
        fleet.add(0, .post(stream: 0, count: 10, isAwaited: false))
        fleet.scenario.weather = [
            Weather(kind: .narrow, scope: .everything, from: .zero, until: .zero + .seconds(7200), probability: 1)
        ]
        fleet.scenario.calm = .zero + .seconds(900)
        let simulation = Simulation(fleet.scenario)
        _ = simulation.run(until: .zero + .seconds(900))
        #expect(simulation.checker.violation == nil)
        let arrived = simulation.checker.arrivals(by: .zero + .seconds(900)) { _ in true }
        #expect(arrived == 10, "\(arrived)")
    }

    @Test func retriesTravelTogether() {
        var fleet = Fleet(well: 1, rate: 0)
        Self.post(&fleet, to: 0, keys: Self.manyKeys(2000), overSeconds: 1)
        fleet.spoil(0, .failsEntries)
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        #expect(run.checker.arrivals(by: Fleet.end) { _ in true } == 2000)
        // Some 860 records fail and come back each at a time of its own: in steps of 50 ms.
        #expect(run.summary.requests < 220, "\(run.summary.requests) requests")
    }
}
