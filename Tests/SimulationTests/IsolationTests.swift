// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

/// What a healthy destination notices of sick ones, when more of them hang than there are workers.
struct IsolationTests {
    private static let healthy = DestinationID(1)
    private static let sick = 20

    /// One healthy stream and twenty others, each at an endpoint of its own, for two minutes.
    private static func scenario(
        seed: UInt64 = 7,
        hangFrom: Instant?,
        until: Instant = .zero + .seconds(120)
    ) -> Scenario {
        let streams = (0...sick).map { index in
            Scenario.Stream(
                id: DestinationID(Int64(index + 1)),
                destination: Destination(region: "r", stream: "s\(index)"),
                settings: DestinationSettings(endpoint: "e\(index)", identity: "i\(index)"),
                shards: 64,
                keys: (0..<500).map { Scenario.Key(EventKey(partitionKey: "k\($0)")) },
                hot: 0,
                keyless: 0,
                sizes: 100...300,
                large: 0,
                poison: 0,
                damaged: 0
            )
        }
        var scenario = Scenario(seed: seed, settings: DeliverySettings(), streams: streams, calm: until)
        scenario.latencyMS = 10...30
        if let hangFrom {
            scenario.weather = streams.dropFirst().map {
                Weather(kind: .hangs, scope: .stream($0.destination), from: hangFrom, until: until, probability: 1)
            }
        }
        return scenario
    }

    /// Events for all, all the time.
    private static func post(_ scenario: inout Scenario, everyMS: Int, count: Int) {
        for ms in stride(from: 0, to: 119_000, by: everyMS) {
            let at = Instant.zero + .milliseconds(ms)
            scenario.deeds.append((at, .post(stream: 0, count: count, isAwaited: false)))
            let other = 1 + (ms / everyMS) % sick
            scenario.deeds.append((at, .post(stream: other, count: 2, isAwaited: false)))
        }
    }

    @Test func aBacklogDrainsAtItsOwnRateWhileMoreHangThanThereAreWorkers() {
        var seconds = [0.0, 0.0]
        for seed in 1...4 as ClosedRange<UInt64> {
            for (index, hangFrom) in [nil, Instant.zero].enumerated() {
                seconds[index] += Self.drain(seed: seed, hangFrom: hangFrom)
            }
        }
        #expect(seconds[0] >= seconds[1] * 0.95, "\(seconds[1]) s, undisturbed \(seconds[0]) s")
    }

    private static func drain(seed: UInt64, hangFrom: Instant?) -> Double {
        var scenario = scenario(seed: seed, hangFrom: hangFrom)
        scenario.backlog[0] = 60_000
        for index in 1...sick { scenario.backlog[index] = 100 }
        let simulation = Simulation(scenario)
        #expect(simulation.run() == nil)
        let waits = simulation.checker.waits(of: healthy)
        #expect(waits.count == 60_000)
        // Found among those that hang.
        #expect((waits.first ?? .seconds(60)) < .seconds(6))
        // The last tenth is of the longest lines, whose keys go one by one.
        return (waits[waits.count * 9 / 10] - waits[0]).inSeconds
    }

    @Test func eventsWaitNoLongerWhileMoreHangThanThereAreWorkers() throws {
        var scenario = Self.scenario(hangFrom: .zero)
        Self.post(&scenario, everyMS: 100, count: 10)
        let simulation = Simulation(scenario)
        #expect(simulation.run() == nil)
        let waits = simulation.checker.waits(of: Self.healthy)
        #expect(waits.count > 10_000)
        // A round trip, a commit and linger, twice over.
        #expect(waits[waits.count * 99 / 100] < .milliseconds(250), "p99 \(waits[waits.count * 99 / 100])")
        #expect(try #require(waits.last) < .seconds(4), "at most \(waits.last ?? .zero)")
    }

    @Test func eventsWaitSecondsAtMostWhenAllOthersBeginToHang() throws {
        var scenario = Self.scenario(hangFrom: .zero + .seconds(30))
        Self.post(&scenario, everyMS: 100, count: 10)
        let simulation = Simulation(scenario)
        #expect(simulation.run() == nil)
        let waits = simulation.checker.waits(of: Self.healthy)
        // Workers come back after `suspectAfter` and one more second; those that hang were well until now, so it takes
        // a few turns until each is known.
        #expect(try #require(waits.last) < .seconds(8), "at most \(waits.last ?? .zero)")
        #expect(waits[waits.count * 99 / 100] < .seconds(4), "p99 \(waits[waits.count * 99 / 100])")
    }

    /// Those that were not heard of for long leave workers to the one that was, even when all of them want one at once.
    @Test func nothingWaitsForWorkersWhileManyThatWereSilentHang() throws {
        var fleet = Fleet(well: 1, rate: 20, others: 20, othersRate: 0)
        for other in 0..<20 {
            // Well once, then silent.
            fleet.add(1000, .post(stream: other, count: 1, isAwaited: false))
            fleet.add(10_000, .post(stream: other, count: 1, isAwaited: false))
            fleet.spoil(other, .hangs, from: .zero + .seconds(5))
        }
        let run = fleet.run()
        #expect(run.checker.violation == nil)
        let waits = run.checker.waits(of: run.streams[fleet.well.lowerBound].id)
        #expect(waits.count > 590)
        // A round trip, a commit and linger, twice over.
        #expect(try #require(waits.last) < .milliseconds(250), "at most \(waits.last ?? .zero)")
    }

    @Test func streamsThatAreWellTakeTurns() {
        var fleet = Fleet(rate: 0)
        // More than two workers can send.
        fleet.scenario.settings = DeliverySettings(workers: 2, maxBatchBytes: 20_000)
        fleet.scenario.limits = .init(records: 1e6, bytes: 1e9)
        for stream in fleet.well { fleet.add(0, .post(stream: stream, count: 40_000, isAwaited: false)) }
        let run = fleet.run()
        // While nobody is done.
        let arrived = fleet.well.map { stream in
            let id = run.streams[stream].id
            return run.checker.arrivals(by: .zero + .seconds(5)) { $0.destination == id }
        }.sorted()
        #expect(arrived[3] < 40_000 && 5 * arrived[0] > 4 * arrived[3], "\(arrived)")
    }

    @Test func aSteadyFlowTravelsInFewRequests() {
        var fleet = Fleet(well: 1, rate: 0)
        for ms in stride(from: 0, to: 10_000, by: 5) { fleet.add(ms, .post(stream: 0, count: 2, isAwaited: false)) }
        let run = fleet.run()
        #expect(run.checker.violation == nil && run.queue.rows.count == 4000)
        // One each time the linger is over, and few that have something pressing.
        #expect(run.summary.requests < 600, "\(run.summary.requests) requests")
    }
}
