// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Streams that are well beside streams that are not, all of them posted to steadily, so that rates can be compared
/// with those of the same fleet without faults.
struct Fleet {
    static let seconds = 30
    static let end = Instant.zero + .seconds(seconds)
    private static let everyMS = 50

    var scenario: Scenario
    /// The streams that are well, by their places: the last ones, so that all others take turns before them.
    let well: Range<Int>

    /// - Parameters:
    ///   - well: How many streams are well, with `rate` events a second each.
    ///   - others: How many there are besides.
    ///   - isShared: They all use one endpoint and one identity.
    init(
        well: Int = 4,
        rate: Int = 400,
        others: Int = 0,
        othersRate: Int = 40,
        isShared: Bool = false,
        limits: Shards.Limits = .init()
    ) {
        let streams = (0..<well + others).map { index in
            Scenario.Stream(
                id: DestinationID(Int64(index + 1)),
                destination: Destination(region: "r", stream: "s\(index)"),
                settings: isShared
                    ? DestinationSettings(endpoint: "e", identity: "i")
                    : DestinationSettings(endpoint: "e\(index)", identity: "i\(index)"),
                shards: 4,
                keys: Self.keys,
                hot: 0,
                keyless: 0,
                sizes: 100...300,
                large: 0,
                poison: 0,
                damaged: 0
            )
        }
        self.well = others..<others + well
        scenario = Scenario(seed: 11, settings: DeliverySettings(), streams: streams, calm: Self.end)
        scenario.latencyMS = 10...30
        scenario.limits = limits
        for index in streams.indices { post(to: index, rate: index < others ? othersRate : rate) }
    }

    static let keys = (0..<2000).map { Scenario.Key(EventKey(partitionKey: "k\($0)")) }

    /// Which of a stream's four shards takes a key.
    static func shard(of key: EventKey) -> Int { Int(key.hashPoint >> 126) }

    // MARK: Load and faults

    private mutating func post(to stream: Int, rate: Int) {
        // Spread over the interval, as senders are not in step.
        let shift = stream * 7 % Self.everyMS
        for ms in stride(from: shift, to: Self.seconds * 1000, by: Self.everyMS) {
            let count = rate * (ms + Self.everyMS) / 1000 - rate * ms / 1000
            if count > 0 { add(ms, .post(stream: stream, count: count, isAwaited: false)) }
        }
    }

    mutating func add(_ ms: Int, _ deed: Scenario.Deed) { scenario.deeds.append((.zero + .milliseconds(ms), deed)) }

    /// One more key of the stream, with `rate` events a second.
    mutating func heat(_ stream: Int, _ key: EventKey, rate: Int, forSeconds: Int = Fleet.seconds) {
        for ms in stride(from: 0, to: forSeconds * 1000, by: Self.everyMS) {
            add(ms, .postKey(stream: stream, key: .init(key), count: rate * Self.everyMS / 1000, mark: .fine))
        }
    }

    /// A fault of one stream's, for all the time.
    mutating func spoil(_ stream: Int, _ kind: Weather.Kind, from: Instant = .zero) {
        scenario.weather.append(
            Weather(
                kind: kind,
                scope: .stream(scenario.streams[stream].destination),
                from: from,
                until: Self.end,
                probability: 1
            )
        )
    }

    // MARK: Rates

    /// Runs as long as events are posted.
    func run() -> Simulation {
        let simulation = Simulation(scenario)
        _ = simulation.run(until: Self.end)
        return simulation
    }
}

extension Simulation {
    /// Events of a stream that arrived, a second.
    func rate(of stream: Int, where counts: (EventKey) -> Bool = { _ in true }) -> Double {
        let id = streams[stream].id
        let arrived = checker.arrivals(by: Fleet.end) { $0.destination == id && counts($0.event.key) }
        return Double(arrived) / Double(Fleet.seconds)
    }
}
