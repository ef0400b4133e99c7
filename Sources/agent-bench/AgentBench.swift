// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

// Each benchmark starts agentd and kinesis-local on scratch files of the disk that is to be measured, brings load from
// one thread, and stops them again. A run counts only if Kinesis has exactly the events that were acknowledged.

@main
struct AgentBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent-bench",
        abstract: "Bring load to agentd, and measure what it costs.",
        discussion: """
            Rates and latencies are of acknowledged events, and those are durable. CPU is of the agent's process \
            alone, user and system, until everything is delivered; the load and kinesis-local take processors too. \
            The latency of fdatasync on the same disk is measured beside it.
            Exit codes: 0 done, 1 failed (also when events were lost or sent twice), 64 usage.
            """,
        subcommands: [
            PostsCommand.self, NDJSONCommand.self, PutRecordsCommand.self, LinesCommand.self, StartCommand.self,
            BacklogCommand.self, IsolationCommand.self, SickCommand.self, StreamsCommand.self, AllCommand.self,
        ]
    )
}
