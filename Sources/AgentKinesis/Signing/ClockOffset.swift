// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Synchronization

/// How far this machine's clock is from that of an endpoint, learnt from the Date header of its answers.
///
/// Kinesis refuses signatures more than five minutes off, and a machine at the edge may start with a clock that is
/// years off. What is remembered is the service's time at a moment since boot, not the difference to the wall clock:
/// so a step of the wall clock, such as the first contact with a time server, does not make it wrong.
///
/// Any thread.
final class ClockOffset: Sendable {
    /// A difference smaller than this is not corrected: headers tell whole seconds, and answers travel.
    static let smallestCorrected: Duration = .seconds(120)

    /// The service's milliseconds since 1970 at boot; `Int64.min` until something was learnt.
    private let serviceTimeAtBoot = Atomic<Int64>(.min)

    func learn(_ serviceTime: WallTime, at now: Instant = .sinceBoot()) {
        serviceTimeAtBoot.store(serviceTime.milliseconds - now.nanoseconds / 1_000_000, ordering: .relaxed)
    }

    /// The service's clock minus this machine's, to the second; `nil` until something was learnt.
    var skew: Duration? { skew(of: .now(), at: .sinceBoot()) }

    func skew(of wall: WallTime, at now: Instant) -> Duration? {
        let atBoot = serviceTimeAtBoot.load(ordering: .relaxed)
        if atBoot == .min { return nil }
        return .milliseconds(atBoot + now.nanoseconds / 1_000_000 - wall.milliseconds)
    }

    /// What the service's clock shows, where it is known to differ from this machine's; `nil`: near enough.
    func correctedTime(_ wall: WallTime = .now(), at now: Instant = .sinceBoot()) -> WallTime? {
        guard let skew = skew(of: wall, at: now),
            abs(skew.wholeMilliseconds) >= Self.smallestCorrected.wholeMilliseconds
        else { return nil }
        return WallTime(milliseconds: wall.milliseconds + skew.wholeMilliseconds)
    }
}
