// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

/// One bad thing stays one bad thing: what is well keeps at least 95 % of the rate that it has without it.
@Suite(.serialized)
struct HotAndPoisonTests {
    private static let hot = EventKey(partitionKey: "hot")
    /// A tenth of Kinesis's, so that a hundred times as much can be simulated quickly.
    private static let tenth = Shards.Limits(records: 100, bytes: 104_858)

    /// Compares the streams that are well, and says their rates.
    private func expectUnmoved(
        _ fleet: Fleet,
        _ spoil: (inout Fleet) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Simulation {
        var spoilt = fleet
        spoil(&spoilt)
        let (calm, run) = (fleet.run(), spoilt.run())
        #expect(calm.checker.violation == nil && run.checker.violation == nil, sourceLocation: sourceLocation)
        for stream in fleet.well {
            let (before, after) = (calm.rate(of: stream), run.rate(of: stream))
            #expect(after >= 0.95 * before, "\(after)/s, undisturbed \(before)/s", sourceLocation: sourceLocation)
            #expect(run.checker.refused(run.streams[stream].id) == 0, sourceLocation: sourceLocation)
        }
        return run
    }

    // MARK: One thing at a time

    @Test func aStreamThatIsMissing() {
        let run = expectUnmoved(Fleet(others: 1)) { $0.spoil(0, .streamMissing) }
        // Probed, but not all the time.
        #expect(run.summary.requestsOf[run.streams[0].id, default: 0] < 20)
    }

    @Test func credentialsThatExpired() {
        let run = expectUnmoved(Fleet(others: 1)) { $0.spoil(0, .expiredCredentials, from: .zero + .seconds(10)) }
        #expect(run.rate(of: 0) > 0)
    }

    @Test func credentialsThatOneOfTheirStreamsRefuses() {
        var fleet = Fleet(others: 1)
        // As a region does that does not know them yet.
        for index in fleet.scenario.streams.indices { fleet.scenario.streams[index].settings.identity = "shared" }
        let run = expectUnmoved(fleet) { $0.spoil(0, .expiredCredentials) }
        #expect(run.summary.requestsOf[run.streams[0].id, default: 0] < 20)
    }

    @Test func serversOfOneStreamThatFail() {
        var fleet = Fleet(others: 1)
        for index in fleet.scenario.streams.indices { fleet.scenario.streams[index].settings.endpoint = "shared" }
        let run = expectUnmoved(fleet) { $0.spoil(0, .serverErrors) }
        #expect(run.summary.requestsOf[run.streams[0].id, default: 0] < 40)
    }

    @Test func moreStreamsThatHangThanThereAreWorkers() {
        _ = expectUnmoved(Fleet(others: 20)) { fleet in for stream in 0..<20 { fleet.spoil(stream, .hangs) } }
    }

    @Test func moreStreamsThatBeginToHangThanThereAreWorkers() {
        _ = expectUnmoved(Fleet(others: 20)) { fleet in
            for stream in 0..<20 { fleet.spoil(stream, .hangs, from: .zero + .seconds(10)) }
        }
    }

    @Test func aDeadStreamFillsItsShareOfTheQueueAndNoMore() {
        var fleet = Fleet(others: 1, othersRate: 2000)
        fleet.scenario.queueLimits.maxBytes = 8 << 20
        let run = expectUnmoved(fleet) { $0.spoil(0, .unreachable) }
        let dead = run.streams[0].id
        // All but the last tenth, which is kept for those that hold little.
        #expect(run.checker.refused(dead) > 0)
        let held = run.queue.totals[dead]?.queuedBytes ?? 0
        #expect((7 << 20...8 << 20).contains(held + (8 << 20) / 10), "\(held) bytes")
    }

    /// As fast as workers allow, which the sick take a few of.
    @Test func backlogsDrainWhileMoreHangThanThereAreWorkers() {
        let rates = [false, true].map { isSpoilt in
            var fleet = Fleet(rate: 20, others: 20, limits: .init(records: 1e6, bytes: 1e9))
            for stream in fleet.well { fleet.add(15_000, .post(stream: stream, count: 30_000, isAwaited: false)) }
            if isSpoilt { for stream in 0..<20 { fleet.spoil(stream, .hangs) } }
            let run = fleet.run()
            #expect(run.checker.violation == nil)
            let last = fleet.well.map { run.checker.waits(of: run.streams[$0].id).last?.inSeconds ?? .infinity }
            return 30_000 / (last.max() ?? .infinity)
        }
        #expect(rates[1] >= 0.95 * rates[0], "\(rates[1])/s, undisturbed \(rates[0])/s")
    }

    // MARK: Inside one stream

    @Test func aPoisonEventAloneIsDeadLettered() {
        let run = expectUnmoved(Fleet()) { fleet in
            fleet.add(10_000, .postKey(stream: 0, key: Fleet.keys[7], count: 1, mark: .poison))
            fleet.add(15_000, .postKey(stream: 0, key: .init(.none), count: 1, mark: .poison))
        }
        let dead = run.queue.rows.filter(\.isDead)
        #expect(dead.count == 2 && dead.allSatisfy { SimulatedKinesis.mark(of: $0.event.data) == .poison })
    }

    /// With order kept, a key has one record under way: it cannot fill a shard, and waits for itself alone.
    @Test func aHotKeyInOrder() {
        let run = expectUnmoved(Fleet(rate: 200, limits: Self.tenth)) {
            $0.heat(0, Self.hot, rate: 10_000, forSeconds: 10)
        }
        #expect(run.rate(of: 0) { $0 == Self.hot } > 10)
    }

    /// Without order, it takes all that its shard has.
    @Test func aHotKeyWithoutOrder() {
        var fleet = Fleet(rate: 200, limits: Self.tenth)
        fleet.scenario.streams[0].settings.ordering = .none
        var heated = fleet
        heated.heat(0, Self.hot, rate: 10_000, forSeconds: 10)
        let (calm, run) = (fleet.run(), heated.run())
        #expect(run.checker.violation == nil)
        let shard = Fleet.shard(of: Self.hot)
        for other in 0..<4 where other != shard {
            let rates = [calm, run].map { $0.rate(of: 0) { $0 != Self.hot && Fleet.shard(of: $0) == other } }
            #expect(rates[1] >= 0.95 * rates[0], "shard \(other): \(rates[1])/s, undisturbed \(rates[0])/s")
        }
        for stream in 1..<4 { #expect(run.rate(of: stream) >= 0.95 * calm.rate(of: stream)) }
        // Who shares the shard shares its limit, of which the hot key gets some, too.
        let shared = [calm, run].map { $0.rate(of: 0) { $0 != Self.hot && Fleet.shard(of: $0) == shard } }
        #expect(shared[1] >= 0.5 * shared[0], "\(shared[1])/s, undisturbed \(shared[0])/s")
        #expect(run.rate(of: 0) { $0 == Self.hot } > 10)
    }

    @Test func aShardThatIsThrottledForEver() {
        let fleet = Fleet()
        var choked = fleet
        choked.add(0, .choke(0, shard: 2))
        let (calm, run) = (fleet.run(), choked.run())
        #expect(run.checker.violation == nil)
        for other in [0, 1, 3] {
            let rates = [calm, run].map { $0.rate(of: 0) { Fleet.shard(of: $0) == other } }
            #expect(rates[1] >= 0.95 * rates[0], "shard \(other): \(rates[1])/s, undisturbed \(rates[0])/s")
        }
        for stream in 1..<4 { #expect(run.rate(of: stream) >= 0.95 * calm.rate(of: stream)) }
        #expect(run.rate(of: 0) { Fleet.shard(of: $0) == 2 } == 0)
        // Some 500 keys, each tried again after pauses that grow to 20 s.
        #expect((run.process?.machine.status()[0].throttled ?? 0) < 7000)
    }

    /// However long the line of a key that does not move, others of its stream are still read.
    @Test func theLineOfAThrottledKeyLeavesMemoryToOthers() {
        var fleet = Fleet(well: 1, rate: 0)
        fleet.scenario.settings = DeliverySettings(memoryBytes: 64 << 10)
        fleet.add(0, .choke(0, shard: Fleet.shard(of: Self.hot)))
        fleet.add(0, .postKey(stream: 0, key: .init(Self.hot), count: 5000, mark: .fine))
        let others = Fleet.keys.filter { Fleet.shard(of: $0.key) != Fleet.shard(of: Self.hot) }.prefix(50)
        for key in others { fleet.add(1000, .postKey(stream: 0, key: key, count: 1, mark: .fine)) }
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        #expect(run.checker.arrivals(by: .zero + .seconds(3)) { $0.event.key != Self.hot } == 50)
    }

    // MARK: All at once

    @Test func allOfItAtOnce() {
        var fleet = Fleet(rate: 200, others: 24, limits: Self.tenth)
        fleet.scenario.queueLimits.maxBytes = 64 << 20
        let run = expectUnmoved(fleet) { fleet in
            fleet.scenario.streams[0].settings.ordering = .none
            fleet.heat(0, Self.hot, rate: 10_000, forSeconds: 10)
            fleet.add(0, .choke(1, shard: 2))
            fleet.spoil(2, .streamMissing)
            fleet.spoil(3, .expiredCredentials)
            fleet.add(10_000, .postKey(stream: fleet.well.lowerBound, key: Fleet.keys[7], count: 1, mark: .poison))
            for stream in 4..<24 { fleet.spoil(stream, .hangs) }
        }
        let dead = run.queue.rows.filter(\.isDead)
        #expect(dead.count == 1 && dead.allSatisfy { SimulatedKinesis.mark(of: $0.event.data) == .poison })
    }

    /// Any number of sick streams, of any kind, that come and go.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func sickStreamsOfAnyKind(seed: UInt64) {
        var g = SeededGenerator(seed: seed)
        let others = g.int(1...24)
        var fleet = Fleet(well: 2, rate: 200, others: others)
        // Some share an endpoint or credentials, with each other and with those that are well.
        for index in fleet.scenario.streams.indices where g.chance(0.3) {
            fleet.scenario.streams[index].settings.identity = "shared"
        }
        for index in fleet.scenario.streams.indices where g.chance(0.3) {
            fleet.scenario.streams[index].settings.endpoint = "shared"
        }
        _ = expectUnmoved(fleet) { fleet in
            for stream in 0..<others where g.chance(0.8) {
                fleet.spoil(stream, g.pick(Weather.Kind.allCases), from: .zero + g.milliseconds(0...15_000))
            }
        }
    }
}
