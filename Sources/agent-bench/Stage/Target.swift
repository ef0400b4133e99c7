// SPDX-License-Identifier: Apache-2.0

internal import AgentControl
internal import Glibc

/// A running agent, as load and measurements see it.
struct Target {
    private static let patienceSeconds = 30.0

    var http: Address?
    var lines: Address?
    /// Its control socket; `nil`: there is no telling when it is drained.
    var control: String?
    /// `nil`: no figures of the process.
    var agent: pid_t?
    /// `nil`: what arrives cannot be counted.
    var kinesis: KinesisFigures?

    func address(for kind: RequestTemplate.Kind) throws(BenchError) -> Address {
        guard let address = kind == .lines ? lines : http else {
            throw .badAddress(
                kind == .lines ? "Lines want the path of a Unix socket as --agent." : "--agent names no address."
            )
        }
        return address
    }

    func agentFigures() throws(BenchError) -> ProcessFigures? {
        if let agent { try ProcessFigures(of: agent) } else { nil }
    }

    func status() throws(BenchError) -> StatusReport? {
        guard let control else { return nil }
        do throws(ControlFailure) {
            return try ControlClient(path: control).status()
        } catch {
            throw .stalled("The agent's status cannot be had: \(error)")
        }
    }

    /// Waits until Kinesis has `accepted` events and the agent has deleted all that it had.
    ///
    /// Kinesis is asked first, over and over, because that costs the agent nothing.
    ///
    /// - Returns: When Kinesis had them all, on the monotonic clock; `nil` where that cannot be known.
    /// - Throws: Where no progress is made, or Kinesis ends up with another number of events.
    @discardableResult
    func awaitDrained(accepted: Int, watching: () throws(BenchError) -> Void = {}) throws(BenchError) -> UInt64? {
        let arrivedAt = try awaitArrived(accepted, watching: watching)
        let deadline = Monotonic.after(seconds: kinesis == nil ? 600 : Self.patienceSeconds)
        while let status = try status(), status.queue.events > 0 {
            guard Monotonic.now() < deadline else { throw try stall("\(status.queue.events) events are queued") }
            try Monotonic.pause(milliseconds: 10)
        }
        if let kinesis {
            let count = try kinesis.accepted()
            guard count == accepted else {
                throw .miscounted(
                    "Of \(accepted) acknowledged events, Kinesis has \(count): some were sent twice, or others post too."
                )
            }
        }
        return arrivedAt
    }

    /// Waits until Kinesis has `accepted` events, whatever else the agent has queued.
    ///
    /// - Returns: When it had them all, on the monotonic clock; `nil` where that cannot be known.
    /// - Throws: Where no progress is made.
    func awaitArrived(_ accepted: Int, watching: () throws(BenchError) -> Void = {}) throws(BenchError) -> UInt64? {
        guard let kinesis else { return nil }
        var seen = -1
        var progressAt = Monotonic.now()
        while true {
            let count = try kinesis.accepted()
            let now = Monotonic.now()
            if count >= accepted { return now }
            if count > seen { (seen, progressAt) = (count, now) }
            guard now < progressAt + UInt64(Self.patienceSeconds * 1e9) else {
                throw try stall("Kinesis has \(count) of \(accepted) events")
            }
            try watching()
            try Monotonic.pause(milliseconds: 10)
        }
    }

    private func stall(_ what: String) throws(BenchError) -> BenchError {
        let fault = try status()?.streams.lazy.compactMap(\.lastError).first
        return .stalled(
            "\(what), and that has not changed for \(Int(Self.patienceSeconds)) s."
                + (fault.map { " The agent's last error: \($0.code): \($0.message)" } ?? "")
        )
    }
}
