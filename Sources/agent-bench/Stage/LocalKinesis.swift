// SPDX-License-Identifier: Apache-2.0

/// A kinesis-local that listens. It is stopped with this.
final class LocalKinesis {
    private static let startSeconds = 60.0
    private static let stopSeconds = 30.0

    private let child: ChildProcess
    let figures: KinesisFigures

    /// - Parameter log: The file that gets what it says.
    init(_ program: String, port: UInt16, _ arguments: [String], log: String) throws(BenchError) {
        child = try ChildProcess(program, ["--port", "\(port)"] + arguments, environment: [:], log: log)
        figures = KinesisFigures(process: child.pid, port: port)
        let deadline = Monotonic.after(seconds: Self.startSeconds)
        while !child.said.contains("listening") {
            try child.checkIsRunning()
            guard Monotonic.now() < deadline else { throw child.failure("was not ready in time") }
            try Monotonic.pause(milliseconds: 2)
        }
    }

    deinit { child.end(within: Self.stopSeconds) }
}
