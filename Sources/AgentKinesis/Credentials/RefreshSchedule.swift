// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// When credentials are to be got again, and which are good until then. Pure: it is told the time.
///
/// - Those that end are got anew ahead of that: by a part of their lifetime, 15 minutes at most, that differs from agent
///   to agent, so that a fleet does not ask all at once.
/// - While that fails, or brings the same ones, it is tried again after waits that grow; the old ones stay in use until
///   they end.
/// - Whatever a place gives newly is used, even if it has ended by this machine's clock: the clock may be wrong, and the
///   service knows.
/// - Where those that do not end are there no more, somebody took them away: they are not used further. That a place
///   cannot be asked just now says nothing of them.
struct RefreshSchedule {
    /// The answer that holds; `nil`: nobody was asked yet.
    private(set) var kept: Result<Credentials, CredentialError>?
    /// When to ask again at the latest; ``Instant/never`` where only a change of a file makes another answer.
    private(set) var due = Instant.zero
    private var askedAt = Instant.zero
    /// When the kept ones are to be replaced.
    private var renewal: WallTime?
    private var failures = 0
    private var generator: SeededGenerator

    private static let furthestAhead: Duration = .seconds(15 * 60)
    private static let longestWait: Duration = .seconds(24 * 3600)
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(60))
    /// Those that the service refuses are got anew no more often than this.
    private static let leastDistance: Duration = .seconds(1)

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// All places were asked.
    ///
    /// - Parameters:
    ///   - wall: The service's time.
    ///   - now: The time since boot.
    /// - Returns: Whether ``kept`` is another answer now.
    mutating func answered(_ found: Result<Credentials, CredentialError>, wall: WallTime, now: Instant) -> Bool {
        askedAt = now
        let before = kept
        switch found {
        case .success(let new):
            kept = found
            if found != before || renewal == nil { renewal = new.expiration.flatMap { renewal(of: $0, wall) } }
            if new.expiration == nil {
                failures = 0
                due = .never
            } else if let renewal, renewal > wall {
                failures = 0
                due = now + wait(from: wall, until: renewal)
            } else {
                tryAgain(now)
            }
        case .failure(let error):
            tryAgain(now)
            guard case .success(let held) = before, error.isPassing || held.expiration != nil,
                held.expiration.map({ $0 > wall }) ?? true
            else {
                kept = found
                break
            }
            if let end = held.expiration { due = min(due, now + wait(from: wall, until: end)) }
        }
        return kept != before
    }

    /// Whether to ask now: also where ``due`` is far off, and the service's time turns out to be another than was thought.
    func isDue(wall: WallTime, now: Instant) -> Bool {
        if due <= now { return true }
        guard failures == 0, let renewal else { return false }
        return renewal <= wall
    }

    /// The service refused these credentials.
    /// - Returns: Whether they are to be got anew, at ``due``.
    mutating func refused(_ credentials: Credentials, now: Instant) -> Bool {
        guard case .success(credentials) = kept else { return false }
        due = min(due, max(now, askedAt + Self.leastDistance))
        return true
    }

    private mutating func tryAgain(_ now: Instant) {
        failures += 1
        due = now + Self.backoff.probeDelay(failures: failures, using: &generator)
    }

    /// An end may be as far off as a text can say.
    private func wait(from wall: WallTime, until time: WallTime) -> Duration {
        min(Self.longestWait, .milliseconds(time.milliseconds - wall.milliseconds))
    }

    /// `nil`: they ended already, by a clock that may be wrong.
    private mutating func renewal(of end: WallTime, _ wall: WallTime) -> WallTime? {
        guard end > wall else { return nil }
        let ahead = min(Self.furthestAhead.wholeMilliseconds, (end.milliseconds - wall.milliseconds) / 4)
        return WallTime(milliseconds: end.milliseconds - Int64.random(in: ahead * 2 / 3...ahead, using: &generator))
    }
}
