// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

/// What every benchmark takes that starts the programs itself.
struct StageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent to measure (default: beside agent-bench).", valueName: "path"))
    var agentd: String?

    @Option(help: ArgumentHelp("The Kinesis to deliver to (default: beside agent-bench).", valueName: "path"))
    var kinesisLocal: String?

    @Option(help: ArgumentHelp("Where scratch files are made: on the disk that is measured.", valueName: "path"))
    var directory = "."

    @Flag(help: "Leave the scratch files.")
    var keep = false

    @Option(help: "Shards of the stream.")
    var shards = 4

    @Option(help: "queue.durability of the agent: full or normal.")
    var durability = "full"

    @Option(help: "The stream's ordering: key or none.")
    var ordering = "key"

    @Flag(help: "Print an object of JSON a run.")
    var json = false

    mutating func validate() throws {
        guard ["full", "normal"].contains(durability) else {
            throw ValidationError("--durability is full or normal.")
        }
        guard ["key", "none"].contains(ordering) else { throw ValidationError("--ordering is key or none.") }
        guard (1...10_000).contains(shards) else { throw ValidationError("--shards is 1...10000.") }
    }

    var programs: Programs {
        Programs(agentd: agentd ?? Self.sibling("agentd"), kinesisLocal: kinesisLocal ?? Self.sibling("kinesis-local"))
    }

    var settings: AgentSettings {
        AgentSettings(shards: shards, durability: durability, ordering: ordering)
    }

    var printer: Printer { Printer(asJSON: json) }

    func scratch() throws -> ScratchDirectory { try ScratchDirectory(in: directory, isKept: keep) }

    private static func sibling(_ name: String) -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count)
        let own = String(decoding: path.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return own.lastIndex(of: "/").map { own[...$0] + name } ?? name
    }
}
