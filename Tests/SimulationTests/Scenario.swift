// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// All that a run is made of, drawn from its seed.
struct Scenario {
    struct Key {
        let key: EventKey
        let lane: Lane

        init(_ key: EventKey) {
            self.key = key
            lane = key.isNone ? 0 : key.lane
        }
    }

    struct Stream {
        let id: DestinationID
        let destination: Destination
        var settings: DestinationSettings
        let shards: Int
        let keys: [Key]
        /// How many of its events have the first key, of those that have one at all.
        let hot: Double
        /// How many of its events have no key.
        let keyless: Double
        let sizes: ClosedRange<Int>
        /// How many of its events are close to the largest size.
        var large: Double
        /// How many of its events Kinesis will never take, and how many are damaged in the file.
        let poison: Double
        let damaged: Double
        /// Whether it becomes known only with its first event.
        var opensLate = false
    }

    enum Deed {
        case post(stream: Int, count: Int, isAwaited: Bool)
        /// Events of one key.
        case postKey(stream: Int, key: Key, count: Int, mark: SimulatedKinesis.Mark)
        case pause(Int)
        case resume(Int)
        case park(Int)
        case unpark(Int)
        case reorder(Int, DestinationSettings.Ordering)
        case move(Int, endpoint: String, identity: String)
        /// The stream's records may be larger from now on.
        case widen(Int)
        case tune(DeliverySettings)
        case remove(Int, count: Int, Commit.RemovalCause)
        case crash(downFor: Duration)
        /// The process dies in the middle of what it does: after so many actions.
        case crashAfter(actions: Int)
        case stop(downFor: Duration)
        /// The wall clock is set.
        case jump(Duration)
        case sleep(Duration)
        case flush
        case renew(identity: String)
        case reshard(Int, into: Int)
        /// A shard takes nothing any more.
        case choke(Int, shard: Int)
    }

    let seed: UInt64
    var settings: DeliverySettings
    var streams: [Stream] = []
    /// Events that are in the file at the start, by stream.
    var backlog: [Int] = []
    var deeds: [(at: Instant, deed: Deed)] = []
    var weather: [Weather] = []
    var limits = Shards.Limits()
    var queue = ModelQueue.Delays()
    var queueLimits = ModelQueue.Limits()
    var latencyMS = 1...20
    var namesShards = true
    /// When the last fault ends and the last event is posted.
    var calm: Instant

    /// Whether reports of commits go without their events now and then.
    var withholds = false

    var isPoisoned: Bool { streams.contains { $0.poison > 0 } }

    /// A calm one, to be made by hand.
    init(seed: UInt64, settings: DeliverySettings, streams: [Stream], calm: Instant) {
        self.seed = seed
        self.settings = settings
        self.streams = streams
        self.calm = calm
        backlog = streams.map { _ in 0 }
    }

    init(seed: UInt64) {
        self.seed = seed
        var g = SeededGenerator(seed: seed)
        settings = Self.settings(&g)
        let horizon = g.int(2...40)
        calm = .zero + .seconds(horizon)
        drawStreams(&g)
        drawWork(&g, horizonMS: horizon * 1000)
        drawDeeds(&g, horizonMS: horizon * 1000)
        if g.chance(0.85) { drawWeather(&g, horizonMS: horizon * 1000) }
        if g.chance(0.3) {
            let scale = g.pick([0.02, 0.1, 0.3])
            limits = Shards.Limits(records: 1000 * scale, bytes: 1_000_000 * max(scale, 0.1))
        }
        queue.commitMS = g.pick([0...1, 1...10, 5...40])
        queue.reportMS = g.pick([0...0, 0...5, 0...40])
        queue.snapshotMS = g.pick([0...0, 0...5, 0...40])
        queue.deliveryMS = g.pick([0...0, 0...5, 0...40])
        queue.loadFailure = g.pick([0, 0, 0.02, 0.2])
        withholds = g.chance(0.2)
        latencyMS = g.pick([0...1, 1...20, 20...120])
        drawRarities(&g, horizonMS: horizon * 1000)
        drawChokes(&g, horizonMS: horizon * 1000)
        namesShards = g.chance(0.8)
        // What is larger than its stream's setting is kept until that is raised.
        for index in streams.indices where streams[index].settings.maxRecordBytes < 1 << 20 {
            add(horizon * 1000, .widen(index))
        }
    }

    private mutating func drawRarities(_ g: inout SeededGenerator, horizonMS: Int) {
        func moment() -> Int { g.int(0...horizonMS) }
        if g.chance(0.15) {
            for _ in 0..<g.int(1...3) { add(moment(), .stop(downFor: g.milliseconds(0...3000))) }
        }
        if g.chance(0.15) {
            for _ in 0..<g.int(1...3) { add(moment(), .crashAfter(actions: g.int(0...30))) }
        }
        if g.chance(0.15) {
            for _ in 0..<g.int(1...3) {
                add(moment(), .jump(.seconds(g.pick([-86_400_000, -400, -60, 90, 400, 86_400_000]))))
            }
        }
        if g.chance(0.15) {
            queueLimits.maxBytes = g.pick([20_000, 200_000, 2_000_000])
            queueLimits.dropsOldest = g.chance(0.5)
        }
        if g.chance(0.1) { queueLimits.maxAge = .seconds(g.int(1...20)) }
        for index in streams.indices where backlog[index] == 0 && g.chance(0.2) { streams[index].opensLate = true }
        // More that hang than there are workers, at endpoints of their own.
        if streams.count > 3, g.chance(0.3) {
            let from = moment()
            for index in streams.indices.dropFirst(g.int(0...2)) {
                weather.append(
                    Weather(
                        kind: g.pick([.hangs, .hangs, .unreachable, .streamMissing]),
                        scope: .stream(streams[index].destination),
                        from: .zero + .milliseconds(from),
                        until: .zero + .milliseconds(min(horizonMS, from + g.int(1000...20_000))),
                        probability: 1
                    )
                )
            }
        }
    }

    /// Shards that take nothing for a while: until the stream is split or merged.
    private mutating func drawChokes(_ g: inout SeededGenerator, horizonMS: Int) {
        guard g.chance(0.2) else { return }
        for _ in 0..<g.int(1...3) {
            let stream = g.int(0...streams.count - 1)
            let from = g.int(0...horizonMS)
            add(from, .choke(stream, shard: g.int(0...streams[stream].shards - 1)))
            add(horizonMS, .reshard(stream, into: g.int(1...4)))
        }
    }

    private static func settings(_ g: inout SeededGenerator) -> DeliverySettings {
        DeliverySettings(
            workers: g.int(1...8),
            linger: g.milliseconds(0...60),
            maxBatchBytes: g.pick([4 << 10, 64 << 10, 1 << 20]),
            memoryBytes: g.pick([64 << 10, 256 << 10, 1 << 20, 12 << 20]),
            maxReferences: g.pick([1, 8, 40, 200, 16_384]),
            suspectAfter: g.pick([.milliseconds(500), .seconds(2)])
        )
    }

    // MARK: Streams

    private mutating func drawStreams(_ g: inout SeededGenerator) {
        // Now and then more than any cache of them holds.
        let count = g.chance(0.02) ? g.int(33...80) : g.pick([1, 1, 2, 3, 5, 8, g.int(1...20)])
        let poison = g.chance(0.2) ? g.pick([0.005, 0.05, 0.2]) : 0
        let damaged = g.chance(0.2) ? 0.02 : 0
        for index in 0..<count {
            streams.append(
                Stream(
                    id: DestinationID(Int64(index + 1)),
                    destination: Destination(region: "r\(index % 2)", stream: "s\(index)"),
                    settings: DestinationSettings(
                        ordering: g.chance(0.75) ? .key : .none,
                        maxRecordBytes: g.chance(0.1) ? 10_000 : 1 << 20,
                        endpoint: "e\(g.int(0...2))",
                        identity: "i\(g.int(0...1))"
                    ),
                    shards: g.pick([1, 2, 7]),
                    keys: Self.keys(&g),
                    hot: g.pick([0, 0, 0.5, 0.95]),
                    keyless: g.pick([0, 0, 0, 0.3, 1]),
                    sizes: g.pick([9...40, 9...300, 500...3000]),
                    large: g.chance(0.15) ? 0.01 : 0,
                    poison: g.chance(0.5) ? poison : 0,
                    damaged: g.chance(0.5) ? damaged : 0
                )
            )
        }
    }

    private static func keys(_ g: inout SeededGenerator) -> [Key] {
        let count = g.chance(0.03) ? 2000 : g.pick([1, 2, 5, 30, 300])
        let areExplicit = g.chance(0.15)
        // So that keys share lanes, which few do by chance.
        let areClose = g.chance(0.25)
        return (0..<count).map { i in
            if areClose {
                let point = UInt128.random(in: 0...UInt128.max >> 6, using: &g)
                return Key(EventKey(partitionKey: "k\(i)", explicitHashKey: String(point)))
            }
            guard areExplicit, g.chance(0.5) else { return Key(EventKey(partitionKey: "k\(i)")) }
            let point = UInt128.random(in: 0...UInt128.max, using: &g)
            return Key(EventKey(partitionKey: g.chance(0.5) ? "k\(i)" : "", explicitHashKey: String(point)))
        }
    }

    // MARK: Work

    private mutating func drawWork(_ g: inout SeededGenerator, horizonMS: Int) {
        backlog = streams.map { _ in g.chance(0.3) ? g.pick([3, 60, 600]) / streams.count : 0 }
        var left = g.pick([10, 100, 400, 1200])
        // More keys than are remembered want more events.
        if streams.contains(where: { $0.keys.count >= 2000 }) { left *= 4 }
        while left > 0 {
            let count = min(left, g.pick([1, 1, 3, 20, 100]))
            left -= count
            let stream = g.chance(0.4) ? 0 : g.int(0...streams.count - 1)
            add(g.int(0...horizonMS), .post(stream: stream, count: count, isAwaited: g.chance(0.05)))
        }
    }

    private mutating func add(_ ms: Int, _ deed: Deed) { deeds.append((.zero + .milliseconds(ms), deed)) }

    private mutating func drawDeeds(_ g: inout SeededGenerator, horizonMS: Int) {
        func moment() -> Int { g.int(0...horizonMS) }
        func stream() -> Int { g.int(0...streams.count - 1) }
        if g.chance(0.3) {
            for _ in 0..<g.int(1...3) { add(moment(), .crash(downFor: g.milliseconds(0...3000))) }
        }
        if g.chance(0.3) {
            for _ in 0..<g.int(1...4) {
                let (from, one) = (moment(), stream())
                let isPause = g.chance(0.7)
                add(from, isPause ? .pause(one) : .park(one))
                add(min(horizonMS, from + g.int(1...5000)), isPause ? .resume(one) : .unpark(one))
            }
        }
        if g.chance(0.25) {
            for _ in 0..<g.int(1...4) {
                add(moment(), .remove(stream(), count: g.int(1...50), g.chance(0.5) ? .evicted : .expired))
            }
        }
        if g.chance(0.2) {
            for _ in 0..<g.int(1...3) {
                switch g.int(0...2) {
                case 0: add(moment(), .reorder(stream(), g.chance(0.5) ? .key : .none))
                case 1: add(moment(), .move(stream(), endpoint: "e\(g.int(0...3))", identity: "i\(g.int(0...2))"))
                default: add(moment(), .tune(Self.settings(&g)))
                }
            }
        }
        if g.chance(0.1) { add(moment(), .sleep(.seconds(g.pick([1, 60, 86_400])))) }
        if g.chance(0.1) { add(moment(), .flush) }
        if g.chance(0.1) { add(moment(), .renew(identity: "i\(g.int(0...1))")) }
        if g.chance(0.3) {
            for _ in 0..<g.int(1...3) { add(moment(), .reshard(stream(), into: g.int(1...8))) }
        }
    }

    // MARK: Faults

    private mutating func drawWeather(_ g: inout SeededGenerator, horizonMS: Int) {
        for _ in 0..<g.int(1...5) {
            let from = g.int(0...horizonMS)
            let stream = g.pick(streams)
            let scope: Weather.Scope =
                switch g.int(0...4) {
                case 0: .endpoint(stream.settings.endpoint)
                case 1: .identity(stream.settings.identity)
                case 2: .everything
                default: .stream(stream.destination)
                }
            var kind = g.pick(Weather.Kind.allCases)
            // Were it to come and go, nobody could tell it from the fault of single records.
            let isSecond = weather.contains { $0.kind == .refusesAll }
            if kind == .refusesAll, isSecond || isPoisoned { kind = .throttles }
            weather.append(
                Weather(
                    kind: kind,
                    scope: scope,
                    from: .zero + .milliseconds(from),
                    until: .zero + .milliseconds(min(horizonMS, from + g.int(50...max(51, horizonMS / 2)))),
                    probability: kind == .refusesAll ? 1 : g.pick([0.1, 0.5, 1, 1])
                )
            )
        }
        // The first one that meets a request decides: this one must not be hidden now and then by another.
        if let index = weather.firstIndex(where: { $0.kind == .refusesAll }) { weather.swapAt(0, index) }
    }
}
