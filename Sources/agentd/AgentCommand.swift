// SPDX-License-Identifier: Apache-2.0
import AgentRuntime
import ArgumentParser

@main
enum Program {
    static func main() {
        prepareProcess()
        AgentCommand.main()
    }
}

/// Runs the agent in the foreground.
struct AgentCommand: ParsableCommand {
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

    func run() throws {
        if checkConfig { letSignalsGo() }
        let settings: Settings
        do {
            settings = try Settings.load(path: config)
        } catch {
            Console.say("\(error)")
            throw ExitCode(78)
        }
        if checkConfig {
            let faults = settings.outsideFaults(file: config)
            if !faults.isEmpty {
                Console.say("\(SettingsFaults(faults: faults))")
                throw ExitCode(78)
            }
            for warning in settings.warnings { Console.say("\(config): warning: \(warning.message) \(warning.remedy)") }
            print("\(config) is valid.")
            return
        }
        do {
            try runAgent(settings)
        } catch {
            Console.say("agentd: \(error)")
            throw ExitCode(exitStatus(for: error))
        }
    }
}
