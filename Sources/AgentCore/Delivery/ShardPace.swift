// SPDX-License-Identifier: Apache-2.0

/// How fast records go to a shard that refused some for want of capacity.
///
/// What a shard takes a second is 1 000 records and 1 MiB (``KinesisLimits``), so what a record uses of it is the larger
/// of its two parts: time of the shard. A bucket of such time fills at the pace, which is looked for as BBR looks for
/// a path's bandwidth: it follows the best that the shard was seen to take in the last windows, tries a little more
/// now and then, and more each time as long as it takes that. (Additive increase and multiplicative decrease would go
/// down to nothing where a few records are refused at random, which says nothing of capacity.)
///
/// A shard that takes nothing is shut: one record at a time asks whether it does, after waits that grow.
struct ShardPace {
    /// Of what the shard takes: 1 is all of it.
    private(set) var share = 1.0
    /// Probes that were refused, one after the other; above 0 the shard is shut.
    private(set) var failures = 0
    private var until = Instant.zero
    private var probe: AttemptID?

    /// Shard time that may be used, in seconds; below 0 after a record that was larger than what was left.
    private var credit = 0.0
    private var creditAt: Instant

    // The window being measured: what was accepted and refused in it.
    private var windowFrom: Instant
    private var accepted = ShardUse()
    private var refused = ShardUse()
    /// The part that is refused while nothing is tried: what goes on in spite of a slower pace has nothing to do with it.
    private var usualLoss = 0.0
    /// Whether records were accepted since it was opened, beside the probe.
    private var tookSome = true
    /// Records that were refused since the last one that was accepted. Of a shard of which nothing else is known, one
    /// that is refused is enough.
    private var refusedInARow = Self.recordsOfShut - 1
    /// Of the last windows with enough to send, what the shard took a second.
    private var seen: [Double] = []
    private var gain = Self.hold
    private var windowsUntilTrial = Self.windowsBetweenTrials
    private(set) var lastRefusal: Instant
    /// Requests that began before then were sent too fast, which is known.
    private var cutAt = Instant.zero

    /// For so long after the last refusal is known what a shard took.
    static let memory = Duration.seconds(60)
    /// A window is at least so long, and longer until it has so many records; few say nothing of a loss.
    private static let window = Duration.milliseconds(500)
    private static let longestWindow = Duration.seconds(3)
    private static let recordsOfWindow = 25
    private static let windowsKept = 10
    private static let windowsBetweenTrials = 9
    private static let hold = 0.97
    private static let firstTrial = 1.1
    private static let mostGain = 2.0
    /// After a probe was taken by a shard that took nothing before.
    private static let firstShare = 0.05
    private static let leastShare = 0.002
    /// A bucket holds so much of its pace, in seconds.
    private static let burst = 0.25
    /// However large a record was, the next one goes after so many seconds.
    private static let longestDebt = 10.0
    /// Records are let go in groups of so much time, so that they travel together.
    private static let step = 0.02
    /// After a request of which most was refused, in seconds.
    private static let pause = 0.05
    /// So many records, and so large a part, may be refused in a window without it being for want of capacity.
    private static let strays = 2
    private static let strayPart = 0.02
    /// No more than this is ever taken for usual; the last so many records tell what is.
    private static let mostUsualLoss = 0.1
    private static let recordsOfUsualLoss = 500.0
    /// What a single request says by being refused: to go slower at once, and that the shard takes nothing.
    private static let recordsOfCut = 8
    private static let recordsOfShut = 3

    init(now: Instant) {
        creditAt = now
        windowFrom = now
        lastRefusal = now
    }

    var isShut: Bool { failures > 0 }

    // MARK: Sending

    func permits(now: Instant) -> Bool {
        if isShut { return probe == nil && now >= until }
        return credit(at: now) > 0
    }

    /// When ``permits(now:)`` turns true by time alone; now, where it is.
    func permitsAt(now: Instant) -> Instant {
        if isShut { return probe == nil ? max(now, until) : .never }
        let missing = min(Self.step * share, burst) - credit(at: now)
        return missing <= 0 ? now : now + .nanoseconds(Int64(missing / share * 1e9) + 1)
    }

    /// A record goes to the shard.
    mutating func spend(bytes: Int, attempt: AttemptID, now: Instant) {
        credit = max(credit(at: now) - ShardUse.time(bytes: bytes), -Self.longestDebt * share)
        creditAt = now
        if isShut { probe = attempt }
    }

    private var burst: Double { max(Self.burst * share, 1 / Double(KinesisLimits.shardRecordsPerSecond)) }

    private func credit(at now: Instant) -> Double {
        min(burst, credit + max(0, (now - creditAt).inSeconds) * share)
    }

    // MARK: Answers

    /// The request ended, and told nothing of the shard.
    mutating func ended(_ attempt: AttemptID) {
        if probe == attempt { probe = nil }
    }

    /// Of a request's records for the shard, some were accepted and some refused.
    mutating func answered(
        _ attempt: AttemptID,
        accepted: ShardUse,
        refused: ShardUse,
        began: Instant,
        isBacklogged: Bool,
        now: Instant,
        generator: inout SeededGenerator
    ) {
        let isProbe = probe == attempt
        ended(attempt)
        self.accepted.add(accepted)
        self.refused.add(refused)
        refusedInARow = accepted.records > 0 ? 0 : refusedInARow + refused.records
        if refused.records > 0 { lastRefusal = now }
        if refused.records >= Self.recordsOfCut, refused.time > accepted.time, began >= cutAt { cut(now: now) }
        let wasShut = isShut
        defer { if !wasShut, accepted.records > 0 { tookSome = true } }
        if isShut {
            // Requests that were under way when it was shut say nothing new by being refused.
            if accepted.records > 0 { reopen(now: now) } else if isProbe { shut(now: now, generator: &generator) }
        } else if refusedInARow >= Self.recordsOfShut {
            shut(now: now, generator: &generator)
        } else if isWindowFull(now: now) {
            closeWindow(isBacklogged: isBacklogged, now: now)
        }
    }

    private func isWindowFull(now: Instant) -> Bool {
        let age = now - windowFrom
        return age >= Self.window && accepted.records + refused.records >= Self.recordsOfWindow
            || age >= Self.longestWindow
    }

    /// Most of a request was refused: half as fast, and a pause, until the window tells more.
    private mutating func cut(now: Instant) {
        cutAt = now
        setShare(max(Self.leastShare, share / 2), now: now)
        credit = min(credit, 0) - Self.pause * share
    }

    private mutating func shut(now: Instant, generator: inout SeededGenerator) {
        failures += 1
        refusedInARow = 0
        until = now + Backoff.throttled.delay(failures: failures, using: &generator)
        seen = []
        startWindow(now: now)
    }

    private mutating func reopen(now: Instant) {
        failures = 0
        probe = nil
        // Where it took some before, it takes little; else nothing is known of how much it takes.
        setShare(tookSome ? max(Self.leastShare, share / 2) : Self.firstShare, now: now)
        tookSome = false
        gain = Self.mostGain
        startWindow(now: now)
    }

    private mutating func closeWindow(isBacklogged: Bool, now: Instant) {
        defer { startWindow(now: now) }
        let sent = accepted.records + refused.records
        guard sent > 0 else { return }
        let rate = accepted.time / (now - windowFrom).inSeconds
        let lost = Double(refused.records) / Double(sent)
        let tolerable = max(Self.strayPart, 2 * usualLoss) * Double(sent)
        let isCongested = Double(refused.records) > Double(Self.strays) + tolerable
        let tookMore = refused.records == 0 || !isCongested && rate > best * 1.03
        if gain <= 1 {
            usualLoss += (lost - usualLoss) * Double(sent) / (Double(sent) + Self.recordsOfUsualLoss)
            usualLoss = min(usualLoss, Self.mostUsualLoss)
        }
        if isCongested { seen = [] }
        if isBacklogged || isCongested || rate > best {
            seen.append(rate)
            if seen.count > Self.windowsKept { seen.removeFirst() }
        }
        if gain > 1, tookMore {
            gain = min(Self.mostGain, 1 + 1.5 * (gain - 1))
        } else if gain > 1 || isCongested {
            gain = Self.hold
            windowsUntilTrial = Self.windowsBetweenTrials
        } else {
            windowsUntilTrial -= 1
            if windowsUntilTrial <= 0 { gain = Self.firstTrial }
        }
        // Where less was sent than might have been, nothing was learnt of how much could be.
        let base = isBacklogged || isCongested ? best : max(best, share)
        setShare(min(1, max(Self.leastShare, base * gain)), now: now)
    }

    private var best: Double { seen.max() ?? 0 }

    private mutating func setShare(_ new: Double, now: Instant) {
        credit = credit(at: now)
        creditAt = now
        share = new
        credit = min(credit, burst)
    }

    private mutating func startWindow(now: Instant) {
        windowFrom = now
        accepted = ShardUse()
        refused = ShardUse()
    }

    /// Nothing was refused for so long that the shard needs no pace.
    func isOver(now: Instant) -> Bool { !isShut && now - lastRefusal >= Self.memory }
}
