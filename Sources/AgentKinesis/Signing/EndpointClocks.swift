// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Synchronization

/// The clocks of all endpoints: each is told apart, because a test server, or a proxy that answers in its place, may be
/// an hour off while the others are not.
///
/// Any thread; one for all senders.
public final class EndpointClocks: Sendable {
    private let clocks = Mutex<[String: ClockOffset]>([:])

    public init() {}

    /// What is known of the clock at an endpoint's URL; the same object each time.
    func clock(of endpoint: String) -> ClockOffset {
        clocks.withLock { clocks in
            if let known = clocks[endpoint] { return known }
            let new = ClockOffset()
            clocks[endpoint] = new
            return new
        }
    }

    /// The service's time as near as it is known: this machine's, unless no endpoint that was heard agrees with it.
    public func serviceTime() -> WallTime { serviceTime(.now(), at: .sinceBoot()) }

    /// How far each endpoint's clock is ahead of this machine's, where an answer told it.
    public func offsets() -> [(endpoint: String, ahead: Duration)] {
        clocks.withLock { $0 }.compactMap { endpoint, clock in clock.skew.map { (endpoint, $0) } }
            .sorted { $0.endpoint < $1.endpoint }
    }

    func serviceTime(_ wall: WallTime, at now: Instant) -> WallTime {
        let skews = clocks.withLock { $0.values.compactMap { $0.skew(of: wall, at: now)?.wholeMilliseconds } }.sorted()
        guard !skews.isEmpty, !skews.contains(where: { !Self.isLarge(.milliseconds($0)) }) else { return wall }
        return WallTime(milliseconds: wall.milliseconds + skews[skews.count / 2])
    }

    /// Whose clock is wrong, as far as the other endpoints tell, and what to do about it; `nil` where the endpoint and
    /// this machine agree.
    func advice(on endpoint: String, _ wall: WallTime = .now(), at now: Instant = .sinceBoot()) -> String? {
        let skews = clocks.withLock { $0.compactMapValues { $0.skew(of: wall, at: now) } }
        guard let skew = skews[endpoint], Self.isLarge(skew) else { return nil }
        let others = skews.filter { $0.key != endpoint }.values
        let off = "\(Self.text(skew)) \(skew < .zero ? "ahead of" : "behind") the clock at \(endpoint)"
        if others.contains(where: { !Self.isLarge($0) }) {
            return
                "Set the clock at \(endpoint), or of the proxy that answers there: this machine's is \(off), but agrees"
                + " with other endpoints. Events are kept."
        }
        if others.contains(where: { !Self.isLarge($0 - skew) }) {
            return "Set this machine's clock (NTP): it is \(off), and other endpoints agree with that. Events are kept."
        }
        return "Set this machine's clock (NTP) if it is wrong, else the one at the endpoint: this machine's is \(off)."
            + " Events are kept."
    }

    private static func isLarge(_ skew: Duration) -> Bool {
        abs(skew.wholeMilliseconds) >= ClockOffset.smallestCorrected.wholeMilliseconds
    }

    private static func text(_ skew: Duration) -> String {
        let seconds = abs(skew.wholeMilliseconds) / 1000
        return switch seconds {
        case ..<7200: "\(seconds) s"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) days"
        }
    }
}
