// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Look at events that were given up, and queue them again.",
        subcommands: [DeadLettersList.self, DeadLettersShow.self, DeadLettersRequeue.self]
    )
}
