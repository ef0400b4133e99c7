// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

/// What once went wrong, each made likely in a small world of its own.
struct NamedCases {
    private static func stream(
        _ number: Int = 1,
        keys: Int,
        hot: Double = 0,
        sizes: ClosedRange<Int> = 100...300,
        large: Double = 0,
        poison: Double = 0
    ) -> Scenario.Stream {
        Scenario.Stream(
            id: DestinationID(Int64(number)),
            destination: Destination(region: "r", stream: "s\(number)"),
            settings: DestinationSettings(endpoint: "e\(number)", identity: "i"),
            shards: 1,
            keys: (0..<keys).map { Scenario.Key(EventKey(partitionKey: "k\($0)")) },
            hot: hot,
            keyless: 0,
            sizes: sizes,
            large: large,
            poison: poison,
            damaged: 0
        )
    }

    private static func scenario(
        _ seed: UInt64,
        _ streams: [Scenario.Stream],
        memory: Int = 12 << 20,
        references: Int = 16_384,
        backlog: Int
    ) -> Scenario {
        let settings = DeliverySettings(memoryBytes: memory, maxReferences: references)
        var scenario = Scenario(seed: seed, settings: settings, streams: streams, calm: .zero + .seconds(20))
        scenario.backlog = streams.map { _ in backlog }
        return scenario
    }

    private static func storm(_ kind: Weather.Kind, from: Int, until: Int) -> Weather {
        Weather(
            kind: kind,
            scope: .everything,
            from: .zero + .milliseconds(from),
            until: .zero + .milliseconds(until),
            probability: 1
        )
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func eventsLargerThanAllOfTheMemoryAreReadOnceEach(seed: UInt64) {
        var scenario = Self.scenario(seed, [Self.stream(keys: 3, large: 0.5)], memory: 64 << 10, backlog: 10)
        scenario.weather = [Self.storm(.throttles, from: 0, until: 3000)]
        #expect(Simulation(scenario).run() == nil)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func destinationsThatShareTooLittleMemoryTakeTurns(seed: UInt64) {
        let streams = (1...12).map { Self.stream($0, keys: 5, sizes: 500...3000) }
        var scenario = Self.scenario(seed, streams, memory: 64 << 10, backlog: 60)
        scenario.weather = [Self.storm(.failsEntries, from: 0, until: 10_000)]
        #expect(Simulation(scenario).run() == nil)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func aLargeEventAmongManyDestinationsIsReadOnce(seed: UInt64) {
        let streams = (1...12).map { Self.stream($0, keys: 1, sizes: 500...3000, large: $0 == 6 ? 0.1 : 0) }
        var scenario = Self.scenario(seed, streams, memory: 1 << 20, backlog: 60)
        scenario.queue.snapshotMS = 0...0
        scenario.queue.deliveryMS = 0...0
        scenario.weather = [Self.storm(.hangs, from: 200, until: 15_000)]
        #expect(Simulation(scenario).run() == nil)
    }

    /// Memory was full, and each event that was read beyond it joined the line of a key that was being settled.
    @Test func eventsReadBeyondTheLimitDoNotGatherBehindAKeyThatSettles() {
        #expect(Simulation(Scenario(seed: 5211)).run() == nil)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func eventsReadBeyondTheLimitDoNotGatherBehindABusyKey(seed: UInt64) {
        let streams = [Self.stream(1, keys: 300, sizes: 500...3000), Self.stream(2, keys: 1, sizes: 500...3000)]
        var scenario = Self.scenario(seed, streams, memory: 64 << 10, backlog: 200)
        scenario.limits = .init(records: 20, bytes: 100_000)
        scenario.queue.commitMS = 20...40
        #expect(Simulation(scenario).run() == nil)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func whatIsCommittedWhileALaneIsReadIsSentOnce(seed: UInt64) {
        var scenario = Self.scenario(seed, [Self.stream(keys: 5)], references: 8, backlog: 100)
        for ms in 0..<500 {
            scenario.deeds.append((.zero + .milliseconds(ms * 20), .post(stream: 0, count: 1, isAwaited: false)))
        }
        scenario.queue.snapshotMS = 0...20
        #expect(Simulation(scenario).run() == nil)
    }

    /// So few of a lane that none is forgotten again: whichever is read too early is met twice.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func whatIsCommittedWhileAShortLaneIsReadIsSentOnce(seed: UInt64) {
        let stream = Self.stream(keys: 2 + Int(seed) % 10)
        var scenario = Self.scenario(seed, [stream], references: 1 + Int(seed) % 4 * 3, backlog: 0)
        for ms in stride(from: 0, to: 10_000, by: 10) {
            let count = ms % 1000 < 300 ? 2 : 1
            if ms % 1000 < 600 {
                scenario.deeds.append((.zero + .milliseconds(ms), .post(stream: 0, count: count, isAwaited: false)))
            }
        }
        scenario.queue.snapshotMS = 0...40
        scenario.queue.reportMS = 0...40
        #expect(Simulation(scenario).run() == nil)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func aDestinationThatKnowsOnlyItsLanesIsProbed(seed: UInt64) {
        var scenario = Self.scenario(seed, [Self.stream(keys: 5)], references: 8, backlog: 300)
        scenario.queue.loadFailure = 0.3
        scenario.weather = [Self.storm(.accessDenied, from: 500, until: 15_000)]
        #expect(Simulation(scenario).run() == nil)
    }

    /// Another one shut what they share, and had nothing left to probe it with.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func aDestinationThatKnowsOnlyItsLanesProbesForOthers(seed: UInt64) {
        let streams = [Self.stream(1, keys: 2), Self.stream(2, keys: 1)]
        var scenario = Self.scenario(seed, streams, references: 1, backlog: 0)
        scenario.backlog[0] = 300
        scenario.queue.loadFailure = 0.8
        let from = 1000 + 37 * Int(seed)
        scenario.weather = [Self.storm(.expiredCredentials, from: from, until: 15_000)]
        scenario.deeds = [
            (.zero + .milliseconds(from), .post(stream: 1, count: 1, isAwaited: false)),
            (.zero + .milliseconds(from + 1000), .remove(1, count: 1, .evicted)),
        ]
        #expect(Simulation(scenario).run() == nil)
    }

    @Test func anEventThatFollowsALonePoisonEventDoesNotWaitForAProbe() {
        var scenario = Self.scenario(1, [Self.stream(keys: 3)], backlog: 0)
        scenario.deeds = [
            (.zero, .post(stream: 0, count: 1, isAwaited: false)),
            (.zero + .seconds(1), .postKey(stream: 0, key: .init(.none), count: 1, mark: .poison)),
            (.zero + .seconds(15), .post(stream: 0, count: 5, isAwaited: false)),
        ]
        let simulation = Simulation(scenario)
        #expect(simulation.run(until: .zero + .seconds(16)) == nil)
        let rows = simulation.queue.rows
        #expect(rows.filter { $0.fate == .delivered }.count == 6)
        #expect(rows.filter(\.isDead).map(\.event.id) == [EventID(2)])
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func aStreamThatRefusesAllForAWhileCostsNoEvent(seed: UInt64) {
        var scenario = Self.scenario(seed, [Self.stream(keys: 40)], backlog: 200)
        scenario.weather = [Self.storm(.refusesAll, from: 100, until: 12_000)]
        let simulation = Simulation(scenario)
        #expect(simulation.run() == nil)
        #expect(simulation.queue.rows.allSatisfy { $0.fate == .delivered })
    }

    /// The line behind such an event is longer than any probe, and than what is remembered.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func anEventThatIsNeverTakenHoldsBackItsKeyAlone(seed: UInt64) {
        let stream = Self.stream(keys: 10, hot: 0.9, poison: 0.001)
        let scenario = Self.scenario(seed, [stream], references: 100, backlog: 2500)
        #expect(Simulation(scenario).run() == nil)
    }

    @Test func aDestinationThatMovesToAnotherEndpointLeavesNothingBehind() {
        for seed in 1...10 as ClosedRange<UInt64> {
            var scenario = Self.scenario(seed, [Self.stream(1, keys: 5), Self.stream(2, keys: 5)], backlog: 50)
            for ms in 0..<20 {
                let endpoint = "e\(1 + ms % 2)"
                scenario.deeds.append((.zero + .milliseconds(ms * 37), .move(0, endpoint: endpoint, identity: "i")))
            }
            #expect(Simulation(scenario).run() == nil)
        }
    }

    /// Throttled while its line was being fetched, an event came back to the front of it.
    @Test func eventsOfAnUnorderedKeyComeBackDuringAFetch() {
        #expect(Simulation(Scenario(seed: 830)).run() == nil)
    }

    /// All that was read waited behind the suspect's own key.
    @Test func aSuspectIsNotTriedForWhatWaitsBehindIt() {
        var scenario = Self.scenario(1, [Self.stream(keys: 1)], backlog: 0)
        scenario.deeds = [(.zero, .postKey(stream: 0, key: scenario.streams[0].keys[0], count: 1, mark: .poison))]
        for ms in stride(from: 1000, to: 19_000, by: 20) {
            scenario.deeds.append((.zero + .milliseconds(ms), .post(stream: 0, count: 1, isAwaited: false)))
        }
        let simulation = Simulation(scenario)
        #expect(simulation.run(until: .zero + .seconds(19)) == nil)
        #expect(simulation.summary.requests < 20, "\(simulation.summary.requests) requests")
    }
}
