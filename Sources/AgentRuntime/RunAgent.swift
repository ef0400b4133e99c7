// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentSystemd
internal import Dispatch
internal import Glibc
internal import Logging

/// The version of this agent.
public let agentVersion = AgentVersion.current

/// Makes the process one that an agent can live in: no signal ends it from here on. SIGTERM and SIGINT wait until
/// ``runAgent(_:)`` stops in order for them, SIGHUP until it is told that nothing is reloaded.
///
/// To be called before anything else, as a stop may be asked for at any moment.
public func prepareProcess() {
    HeldSignals.hold()
    // A peer that goes away is told by write's result.
    signal(SIGPIPE, SIG_IGN)
    // Dispatch asks for a priority for its own thread that an ordinary user may not have, and tells syslog(3) that it
    // was refused; which would wait for a journal that hangs.
    setenv("LIBDISPATCH_LOG", "NO", 0)
    // glibc gives each thread an arena of its own, which none gives back: with a dozen threads that is most of the
    // memory. Two are enough here, because threads hardly allocate at the same time.
    ProcessMemory.limitArenas(to: 2)
    // Blocks of that size are large events and request bodies: what is freed of them is to be nobody's.
    ProcessMemory.mapBlocks(from: 512 << 10)
}

/// Gives signals their usual effect again, for a program that is no agent after all.
public func letSignalsGo() { HeldSignals.letGo() }

/// Runs an agent until it is told to stop. Blocks the main thread, which must be the one that called
/// ``prepareProcess()``.
///
/// - Throws: what could not be opened, and what to do about it. Once it serves, it does not throw.
public func runAgent(_ settings: Settings) throws {
    // While this is the only thread.
    let sockets = try InheritedSockets(SocketActivation.take())
    let log = SystemdLogHandler.logger(level: settings.log.level)
    let stop = Latch()
    HeldSignals.listen { arrival in
        switch arrival {
        case .stop where !stop.open(): log.notice("already stopping")
        case .stop: break
        case .reload:
            log.warning("SIGHUP ignored", metadata: ["remedy": "reload is not available yet; restart to apply changes"])
        }
    }
    defer { LogBuffer.stderr.flush(within: Console.patience) }

    let outcome = Outcome()
    // The main thread waits: if it were given away, it would take the signals (see `HeldSignals`).
    let ended = DispatchSemaphore(value: 0)
    // Of the default priority: threads of a higher one ask the system for what an ordinary user may not have.
    Task(priority: .medium) {
        do {
            if let agent = try await Agent.start(settings: settings, sockets: sockets, log: log, stop: stop) {
                await agent.run(until: stop)
            } else {
                log.notice("stopped before it was ready")
            }
        } catch {
            outcome.error = error
        }
        ended.signal()
    }
    ended.wait()
    if let error = outcome.error { throw error }
}

// Written before `ended` is signalled, and read after it was waited for.
private final class Outcome: @unchecked Sendable {
    var error: (any Error)?
}
