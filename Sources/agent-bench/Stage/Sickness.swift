// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// A kind of trouble that streams of an endpoint of their own are in until it ends.
enum Sickness: String, CaseIterable, ExpressibleByArgument {
    /// One stream with a great many keys, and shards that take nothing.
    case keys
    /// One stream with a great many keys and two shards: one takes nothing, the other what a shard takes.
    case shard
    /// Many streams with an event each, and an endpoint that answers 503.
    case outage
    /// Many streams with a large event each, and an endpoint where nobody listens.
    case refused
    /// One stream with an event among many that Kinesis does not take.
    case poisoned

    struct Sizes {
        /// Events, and nearly as many keys, of one stream.
        var keys = 100_000
        var outageStreams = 1000
        var refusedStreams = 300
    }

    static let prefix = "sick-"
    /// What a shard takes: <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>.
    static let shardRecordsPerSecond = 1000
    /// Of `refused`: with its line and its key still below the 1 MiB that the agent takes.
    private static let largeEventBytes = 1_000_000
    private static let poison = 1000

    func streams(_ sizes: Sizes, endpoint: String) -> NumberedStreams {
        let count =
            switch self {
            case .keys, .shard, .poisoned: 1
            case .outage: sizes.outageStreams
            case .refused: sizes.refusedStreams
            }
        return NumberedStreams(prefix: Self.prefix, numbers: 0..<count, endpoint: endpoint)
    }

    func events(_ sizes: Sizes) -> Int {
        switch self {
        case .keys, .shard: sizes.keys
        case .outage: sizes.outageStreams
        case .refused: sizes.refusedStreams
        case .poisoned: 10 * Self.poison
        }
    }

    /// How they are posted: in lines, of which each names its stream.
    func load(_ sizes: Sizes) -> LoadShape {
        LoadShape(
            kind: .lines,
            connections: 1,
            // Ten writes of as many lines as leave no rest.
            batch: self != .refused && events(sizes).isMultiple(of: 100) ? 1000 : 10,
            eventBytes: self == .refused ? Self.largeEventBytes : 100,
            // So many that hardly one comes twice.
            keys: 99_999_999,
            stream: Self.prefix,
            streams: streams(sizes, endpoint: "").numbers.count
        )
    }

    var shards: Int { self == .shard ? 2 : 1 }

    /// Of the shard that is well, among ``shards``.
    var healthyShard: Int? { self == .shard ? 1 : nil }

    /// Whether the endpoint is there while they are sick.
    var hasEndpoint: Bool { self != .refused }

    /// How many of the events end as dead letters.
    var deadLetters: Int { self == .poisoned ? 1 : 0 }

    /// The rules of kinesis-local, as JSON.
    var faults: String {
        let rules =
            switch self {
            case .keys: [#"{"action":"limit","records_per_second":0}"#]
            case .shard:
                [
                    #"{"action":"limit","shard":"shardId-000000000000","records_per_second":0}"#,
                    #"{"action":"limit","shard":"shardId-000000000001","bytes_per_second":1048576,"#
                        + #""records_per_second":\#(Self.shardRecordsPerSecond)}"#,
                ]
            case .outage: [#"{"action":"status","operation":"*","status":503}"#]
            case .refused: [String]()
            case .poisoned:
                [
                    #"{"action":"error","code":"InvalidArgumentException","message":"A fault of the benchmark.","#
                        + #""data_contains":"\"id\":\"000000\#(Self.poison)\""}"#
                ]
            }
        return "[" + rules.joined(separator: ",\n") + "]\n"
    }
}
