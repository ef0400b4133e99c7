// SPDX-License-Identifier: Apache-2.0

/// The health of one thing that requests depend on: an endpoint, an identity or a destination.
///
/// Open, it lets a window of requests through, which doubles with each success. A fault shuts it: then one probe at a
/// time passes, after a wait that grows. What is opened again starts with a window of one, so that a fleet that
/// waited does not return all at once.
final class Gate {
    private(set) var failures = 0
    /// When the next probe may pass, and since when the gate is shut. Meaningless while it is open.
    private(set) var until = Instant.zero
    private(set) var shutSince = Instant.zero
    private(set) var fault: Fault?
    private(set) var lastSuccess: Instant?
    /// Who failed here since the gate was shut: some others need not wait for `until`, as the fault may not be theirs.
    private var faulted: Set<DestinationID> = []
    /// Who failed here when another one got through: when they fail again it is by a fault of their own, as that of
    /// credentials which a region does not know, or of one stream's servers.
    private var doubted: Set<DestinationID> = []
    /// The service asked to wait: that holds for all.
    private var isAskedToWait = false
    private var window: Int
    /// No request can be made at all, for want of something that somebody else is to bring.
    private var isBarred = false
    /// Those of which an answer may still be near.
    private var inFlight: Set<AttemptID> = []
    private var probe: AttemptID?

    /// Destinations that could send, but for this gate.
    var waiting: [DestinationState] = []
    /// All destinations that depend on it; empty for a destination's own gate.
    var dependents: [DestinationState] = []
    /// Who reads what the next probe is made of. One does: a fleet that waits for a gate would fill the memory.
    private var candidate: DestinationState?

    /// - Parameter window: Requests that may be under way before the first answer. What many destinations share starts
    ///   wide: nothing is known against it, and the first of them may hang.
    init(window: Int = 1) { self.window = window }

    static let widest = 1024
    /// After so many failed of those that share a gate, the fault is taken for the gate's, and the others wait too.
    private static let proof = 3

    var isShut: Bool { failures > 0 }
    /// Shut, or never yet seen to work.
    var isSick: Bool { isShut || isUntried }
    var isUntried: Bool { !isShut && lastSuccess == nil }
    /// Whether only somebody's action will open it.
    var isParked: Bool { isShut && fault?.disposition.parks == true }
    /// Shut for long enough that what waits behind it should not hold memory. (Where single records are refused, the
    /// others are looked through for one that is accepted.)
    var isDormant: Bool { (isParked || failures >= 4) && fault?.disposition != .record }

    func permits(_ destination: DestinationID, now: Instant) -> Bool {
        if isBarred { return false }
        guard isShut else { return inFlight.count < window }
        return probe == nil && (now >= until || isEarly(destination))
    }

    /// When ``permits(_:now:)`` may turn true by time alone.
    func opensAt(for destination: DestinationID) -> Instant? {
        isShut && !isBarred && probe == nil && !isEarly(destination) ? until : nil
    }

    /// Whether the destination need not wait for the next probe: nothing shows yet that the fault is not another's own.
    private func isEarly(_ destination: DestinationID) -> Bool {
        !isAskedToWait && faulted.count < Self.proof && !faulted.contains(destination)
    }

    /// Whether another destination is about to probe.
    func isAnothersTurn(than destination: DestinationState) -> Bool {
        guard let candidate, candidate !== destination else { return false }
        return candidate.isProbing
    }

    /// The destination reads what the next probe is made of.
    func elect(_ destination: DestinationState) { candidate = destination }

    /// - Returns: Whether the destination was about to probe; it is not any more.
    func dismiss(_ destination: DestinationState) -> Bool {
        guard candidate === destination else { return false }
        candidate = nil
        return true
    }

    /// Lets go of all that holds it.
    func close() {
        waiting = []
        dependents = []
        candidate = nil
    }

    func began(_ attempt: AttemptID) {
        candidate = nil
        inFlight.insert(attempt)
        if isShut { probe = attempt }
    }

    func ended(_ attempt: AttemptID) {
        inFlight.remove(attempt)
        if probe == attempt { probe = nil }
    }

    /// The attempt may hang: others need not wait for it.
    func outwaited(_ attempt: AttemptID) { inFlight.remove(attempt) }

    /// Whether a failure of the destination says nothing of the others.
    func doubts(_ destination: DestinationID) -> Bool { doubted.contains(destination) }

    /// - Returns: how long the gate was shut, where this opened it.
    func succeeded(by destination: DestinationID, now: Instant) -> Duration? {
        lastSuccess = now
        if !faulted.isEmpty { doubted.formUnion(faulted) }
        if !doubted.isEmpty { doubted.remove(destination) }
        guard isShut, !isBarred else {
            window = min(window * 2, Self.widest)
            return nil
        }
        failures = 0
        fault = nil
        faulted.removeAll()
        isAskedToWait = false
        window = 1
        return now - shutSince
    }

    /// A request that began at `began` failed by this gate's fault.
    ///
    /// Requests that were under way when the gate shut, and early probes, say nothing new: they do not lengthen the
    /// wait. What the service asks for does, up to an hour, and is spread by a tenth so that those who were told
    /// the same do not return together.
    func failed(
        _ fault: Fault,
        by destination: DestinationID,
        began: Instant,
        retryAfter: Duration?,
        generator: inout SeededGenerator
    ) {
        // What was under way when it was barred says nothing of what it waits for.
        if isBarred, isShut { return }
        let now = fault.at
        self.fault = fault
        faulted.insert(destination)
        let isOld = isShut && (began < shutSince || began < until)
        if let retryAfter { wait(min(retryAfter, .seconds(3600)), now: now, generator: &generator) }
        if isOld { return }
        if failures == 0 { shutSince = now }
        failures += 1
        window = 1
        let backoff: Backoff = fault.disposition == .endpoint ? .transient : .throttled
        let delay =
            fault.disposition.parks
            ? backoff.probeDelay(failures: failures, using: &generator)
            : backoff.delay(failures: failures, using: &generator)
        if retryAfter == nil { isAskedToWait = false }
        until = isAskedToWait ? max(until, now + delay) : now + delay
    }

    private func wait(_ asked: Duration, now: Instant, generator: inout SeededGenerator) {
        let spread = Int64.random(in: 0...max(0, asked.wholeNanoseconds / 10), using: &generator)
        // While it is open, `until` means nothing.
        let end = now + asked + .nanoseconds(spread)
        until = isShut ? max(until, end) : end
        isAskedToWait = true
    }

    /// Lets nothing pass, probes included, until ``unbar()``.
    ///
    /// - Parameter fault: Why; `nil`: nothing is wrong, it only takes a moment.
    func bar(_ fault: Fault?) {
        isBarred = true
        guard let fault else { return }
        if failures == 0 {
            shutSince = fault.at
            failures = 1
        }
        self.fault = fault
    }

    /// What it was barred for is there.
    func unbar() { isBarred = false }

    /// Lets the next probe pass at once: somebody changed what may have been the cause.
    func probeNow(_ now: Instant) {
        until = min(until, now)
        isAskedToWait = false
    }
}
