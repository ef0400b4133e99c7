// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentSystemd
internal import Glibc
internal import Logging

/// The version of this agent.
public let agentVersion = AgentVersion.current

/// Runs an agent until it is told to stop.
///
/// - Throws: what could not be opened, and what to do about it. Once it serves, it does not throw.
public func runAgent(_ settings: Settings) async throws {
    // A peer that goes away is told by write's result.
    signal(SIGPIPE, SIG_IGN)
    // glibc gives each thread an arena of its own, which none gives back: with a dozen threads that is most of the
    // memory. Two are enough here, because threads hardly allocate at the same time.
    ProcessMemory.limitArenas(to: 2)
    let log = SystemdLogHandler.logger(level: settings.log.level)
    let agent = try await Agent(settings: settings, log: log)
    await agent.run()
}
