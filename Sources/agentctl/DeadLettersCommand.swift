// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Look at events that were given up, queue them again, or delete them.",
        subcommands: [DeadLettersList.self, DeadLettersShow.self, DeadLettersRequeue.self, DeadLettersPurge.self]
    )
}
