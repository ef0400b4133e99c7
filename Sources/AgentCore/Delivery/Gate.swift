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
    /// Who failed here since the gate was shut: the others need not wait for `until`, as the fault may not be theirs.
    private var faulted: Set<DestinationID> = []
    /// Who failed here when another one got through: when they fail again it is by a fault of their own, as that of
    /// credentials which a region does not know, or of one stream's servers.
    private var doubted: Set<DestinationID> = []
    private var window: Int
    /// Those of which an answer may still be near.
    private var inFlight: Set<AttemptID> = []
    private var probe: AttemptID?

    /// - Parameter window: Requests that may be under way before the first answer. What many destinations share starts
    ///   wide: nothing is known against it, and the first of them may hang.
    init(window: Int = 1) { self.window = window }

    static let widest = 1024

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
        guard isShut else { return inFlight.count < window }
        return probe == nil && (now >= until || !faulted.contains(destination))
    }

    /// When ``permits(_:now:)`` may turn true by time alone.
    func opensAt(for destination: DestinationID) -> Instant? {
        isShut && probe == nil && faulted.contains(destination) ? until : nil
    }

    func began(_ attempt: AttemptID) {
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
        guard isShut else {
            window = min(window * 2, Self.widest)
            return nil
        }
        failures = 0
        fault = nil
        faulted.removeAll()
        window = 1
        return now - shutSince
    }

    /// A request that began at `began` failed by this gate's fault.
    ///
    /// Requests that were under way when the gate shut, and early probes, say nothing new: they do not lengthen the
    /// wait.
    func failed(
        _ fault: Fault,
        by destination: DestinationID,
        began: Instant,
        retryAfter: Duration?,
        generator: inout SeededGenerator
    ) {
        let now = fault.at
        self.fault = fault
        faulted.insert(destination)
        if isShut && (began < shutSince || began < until) { return }
        if failures == 0 { shutSince = now }
        failures += 1
        window = 1
        let backoff: Backoff = fault.disposition == .endpoint ? .transient : .throttled
        var delay =
            fault.disposition.parks
            ? backoff.probeDelay(failures: failures, using: &generator)
            : backoff.delay(failures: failures, using: &generator)
        if let retryAfter { delay = max(delay, min(retryAfter, backoff.cap)) }
        until = now + delay
    }

    /// Lets the next probe pass at once: somebody changed what may have been the cause.
    func probeNow(_ now: Instant) {
        until = min(until, now)
    }
}
