// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
public import AgentCore
public import ArgumentParser
internal import Glibc

/// `--control`, which every verb takes that talks to agentd.
struct ControlOption: ParsableArguments {
    @Option(
        name: .customLong("control"),
        help: ArgumentHelp(
            "The control socket of agentd (default: $AGENTD_CONTROL, then /run/agentd/control.sock).",
            valueName: "socket"
        )
    )
    var socket: String?

    var path: String {
        if let socket { return socket }
        if let variable = getenv("AGENTD_CONTROL"), variable.pointee != 0 { return String(cString: variable) }
        return "/run/agentd/control.sock"
    }

    /// Connects, calls `body`, and turns what fails into words on stderr and an exit code.
    func withClient(_ body: (ControlClient) throws -> Void) throws {
        do {
            try body(try ControlClient(path: path))
        } catch let failure as ControlFailure {
            Console.say("agentctl: \(failure)")
            throw failure.exitCode
        }
    }
}

extension ControlFailure {
    var exitCode: ExitCode {
        switch self {
        case .unreachable, .noAnswer, .ingestSocket: ExitCode(EX_UNAVAILABLE)
        case .unintelligible, .refused: ExitCode.failure
        }
    }
}

extension StreamReference: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
