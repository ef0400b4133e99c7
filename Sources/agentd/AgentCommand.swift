// SPDX-License-Identifier: Apache-2.0
import AgentRuntime
import ArgumentParser
import Glibc

/// Runs the agent in the foreground.
@main
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agentd",
        abstract: "Take events on this machine, keep them safe, and deliver them to Amazon Kinesis in order.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT. Under systemd it reports when it is ready and how it fares. \
            Operators talk to it with agentctl.
            """,
        version: agentVersion
    )

    @Option(help: ArgumentHelp("Read the configuration from this file.", valueName: "file"))
    var config = "/etc/agentd/agent.conf"

    @Flag(help: "Check the configuration and exit: 0 if it is valid, 78 if it is not.")
    var checkConfig = false

    func run() async throws {
        let settings: Settings
        do {
            settings = try Settings.load(path: config)
        } catch {
            say("\(error)")
            throw ExitCode(78)
        }
        if checkConfig {
            print("\(config) is valid.")
            return
        }
        do {
            try await runAgent(settings)
        } catch {
            say("agentd: \(error)")
            throw ExitCode(1)
        }
    }

    private func say(_ words: String) {
        _ = (words + "\n").withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}
