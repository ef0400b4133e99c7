// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import ArgumentParser

// Data goes to stdout, words to stderr. Exit codes: 0 done, 1 failed, 64 usage, 69 agentd unreachable, 78 bad
// configuration.

@main
struct Agentctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agentctl",
        abstract: "Look into a running agentd, and tell it what to do.",
        discussion: """
            STREAM is a name, in the configured region, or name@region.
            Exit codes: 0 done, 1 failed, 64 usage, 69 agentd unreachable, 78 bad configuration.
            """,
        version: AgentVersion.current,
        subcommands: [
            StatusCommand.self, StreamsCommand.self, PeekCommand.self, SendCommand.self, PauseCommand.self,
            ResumeCommand.self, FlushCommand.self, DeadLettersCommand.self, CheckConfigCommand.self,
        ]
    )
}
