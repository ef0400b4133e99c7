// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import AgentCore
internal import ArgumentParser
internal import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the queue, the totals, and how each stream fares."
    )

    @Argument(help: "Only this stream: name or name@region.")
    var stream: StreamReference?

    @Flag(help: "Print JSON; with --watch, one line a second.")
    var json = false

    @Flag(help: "Show it again each second, until ^C.")
    var watch = false

    @OptionGroup var control: ControlOption

    func run() throws {
        if watch { return watchUntilInterrupted() }
        try control.withClient { client in
            let report = try chosen(try client.status())
            if json {
                Console.print(try controlJSON(report, pretty: true))
            } else {
                Console.print(StatusTable(report: report, terminal: .ofStdout()).lines)
            }
        }
    }

    private func keepChosen(_ report: inout StatusReport) {
        guard let stream else { return }
        report.streams.removeAll { !stream.matches(Destination(region: $0.region, stream: $0.name)) }
    }

    /// Of one stream alone, it has to be there.
    private func chosen(_ report: StatusReport) throws -> StatusReport {
        var report = report
        keepChosen(&report)
        if let stream, report.streams.isEmpty {
            Console.say("agentctl: there is no stream \(stream). 'agentctl streams' lists them.")
            throw ExitCode.failure
        }
        return report
    }

    /// An agentd that is not there is shown as such, and waited for: restarts are what one watches.
    private func watchUntilInterrupted() {
        // Blocked, the signals wait for sigtimedwait: no handler, and no half-drawn screen.
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        sigprocmask(SIG_BLOCK, &signals, nil)
        repeat {
            draw()
        } while !isInterrupted(within: 1, signals)
    }

    private func draw() {
        let terminal = Terminal.ofStdout()
        do throws(ControlFailure) {
            var report = try ControlClient(path: control.path).status(patience: .seconds(2))
            keepChosen(&report)
            if json {
                if let line = try? controlJSON(report, pretty: false) { Console.print(line) }
            } else {
                show(StatusTable(report: report, terminal: terminal).lines, terminal)
            }
        } catch {
            if json { Console.say("agentctl: \(error)") } else { show([Styled("\(error)")], terminal) }
        }
    }

    /// On a terminal each line replaces the one that was there, so that nothing flickers.
    private func show(_ lines: [Styled], _ terminal: Terminal) {
        guard terminal.isTerminal else { return Console.print(lines + [Styled("")]) }
        let (home, clearLine, clearBelow) = ("\u{1b}[H", "\u{1b}[K", "\u{1b}[J")
        var lines = lines
        if lines.count >= terminal.height, terminal.height > 2 {
            // The last line is the cursor's: writing there would scroll the first one away.
            let left = lines.count - (terminal.height - 2)
            lines = lines.prefix(terminal.height - 2) + [Styled("(\(left) more lines; the terminal is too low)")]
        }
        Console.write(home + lines.map { $0.text + clearLine + "\n" }.joined() + clearBelow, to: STDOUT_FILENO)
    }

    private func isInterrupted(within seconds: Int, _ signals: sigset_t) -> Bool {
        var signals = signals
        var time = timespec(tv_sec: seconds, tv_nsec: 0)
        while true {
            if sigtimedwait(&signals, nil, &time) > 0 { return true }
            if errno != EINTR { return false }
        }
    }
}
