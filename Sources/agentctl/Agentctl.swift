// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import ArgumentParser
internal import Glibc

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
            ResumeCommand.self, FlushCommand.self, DeadLettersCommand.self, ExportCommand.self, ImportCommand.self,
            VerifyCommand.self, CheckConfigCommand.self,
        ]
    )

    /// As ArgumentParser's own, but that words which are no verb are told apart, and that nothing of the command line
    /// reaches the terminal raw.
    static func main() {
        let words = Array(CommandLine.arguments.dropFirst())
        if let unknown = UnknownVerb.find(in: words, of: self) {
            Console.say(unknown.description)
            Glibc.exit(EX_USAGE)
        }
        do {
            var command = try parseAsRoot(words)
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if !message.isEmpty { code.isSuccess ? Console.print(message) : Console.say(message) }
            Glibc.exit(code.rawValue)
        }
    }
}
