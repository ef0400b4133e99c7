// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

/// The shards of a destination of which some refuse records for want of capacity: what of its events may go, and what
/// waits for its shard. There is one only while something is refused, so that all other streams pay nothing for it.
struct Throttle {
    /// What one request's records said of a shard.
    private struct Tally {
        let shard: Shard
        var accepted = ShardUse()
        var refused = ShardUse()
    }

    private(set) var map = ShardMap()
    /// Those with a pace.
    private(set) var limited: [Shard] = []
    /// Events without a key that no shard takes now.
    var loose: Deque<Item> = []
    private var looksAgainAt = Instant.zero
    private var lastRefusal = Instant.zero
    private var tallies: [Tally] = []

    /// The shard of the point, where it has a pace.
    func limit(of point: UInt128) -> Shard? { map.shard(of: point).flatMap { $0.pace == nil ? nil : $0 } }

    /// A record goes to wherever the point is.
    func spend(_ point: UInt128, bytes: Int, attempt: AttemptID, now: Instant) {
        limit(of: point)?.pace?.spend(bytes: bytes, attempt: attempt, now: now)
    }

    /// Something waits for a shard.
    var holds: Bool { !loose.isEmpty || limited.contains { !$0.line.isEmpty } }

    /// When something that waits may go; ``Instant/never`` where nothing waits, or only answers can tell.
    ///
    /// - Parameter isHere: Whether the next event of a key in a line could be sent.
    func releasesAt(now: Instant, isHere: (EventKey) -> Bool) -> Instant {
        var (line, any) = (Instant.never, hasFree ? now : Instant.never)
        for shard in limited {
            guard let at = shard.pace?.permitsAt(now: now) else { continue }
            any = min(any, at)
            if shard.line.first.map(isHere) ?? false { line = min(line, at) }
        }
        // What has no key goes to any shard that takes it, if one is found.
        return loose.isEmpty ? line : min(line, max(any, looksAgainAt))
    }

    private static let mostUnknown = 0.05

    /// Whether there are shards that nothing is known against, or may be.
    private var hasFree: Bool { limited.count < map.shards.count || map.unknown > Self.mostUnknown }

    /// No shard was found for an event without a key.
    mutating func foundNone(now: Instant) { looksAgainAt = now + Self.looksEvery }

    private static let looksEvery = Duration.milliseconds(20)

    /// Whether reading on may find events that can go.
    func isHungry(now: Instant) -> Bool {
        hasFree || limited.contains { $0.isHungry(now: now) }
    }

    /// Whether events of the lane are worth reading.
    func isHungry(_ lane: Lane, now: Instant) -> Bool {
        var knowsSome = false
        for shard in map.shards(of: lane) {
            if shard.isHungry(now: now) { return true }
            knowsSome = true
        }
        return !knowsSome
    }

    // MARK: Answers

    /// A record of the running request was accepted by the shard named.
    ///
    /// - Returns: shards that cannot be there any more; what waits for them is to be put elsewhere.
    mutating func accepted(_ point: UInt128, bytes: Int, by name: String) -> [Shard] {
        let (shard, gone) = map.learn(point, name)
        forget(gone)
        count(shard) { $0.accepted.add(bytes: bytes) }
        return gone
    }

    /// A record of the running request was refused for want of capacity; `name`: of the shard, if it was named.
    mutating func refused(_ point: UInt128?, bytes: Int, by name: String?, now: Instant) -> [Shard] {
        lastRefusal = now
        guard let point else { return [] }
        let (shard, gone) = name.map { map.learn(point, $0) } ?? map.learnLane(of: point)
        forget(gone)
        if shard.pace == nil {
            shard.pace = ShardPace(now: now)
            limited.append(shard)
        }
        count(shard) { $0.refused.add(bytes: bytes) }
        return gone
    }

    private mutating func count(_ shard: Shard, _ add: (inout Tally) -> Void) {
        // The records of a request are in the order of nothing: but shards are few, and the last ones recur.
        if let index = tallies.lastIndex(where: { $0.shard === shard }) { return add(&tallies[index]) }
        var tally = Tally(shard: shard)
        add(&tally)
        tallies.append(tally)
    }

    private mutating func forget(_ gone: [Shard]) {
        guard !gone.isEmpty else { return }
        limited.removeAll { shard in gone.contains { $0 === shard } }
        tallies.removeAll { tally in gone.contains { $0 === tally.shard } }
    }

    /// All records of the request were told of.
    mutating func answered(_ attempt: AttemptID, began: Instant, now: Instant, generator: inout SeededGenerator) {
        for tally in tallies where tally.shard.pace != nil {
            tally.shard.pace?.answered(
                attempt,
                accepted: tally.accepted,
                refused: tally.refused,
                began: began,
                isBacklogged: !tally.shard.line.isEmpty || !loose.isEmpty,
                now: now,
                generator: &generator
            )
        }
        tallies.removeAll(keepingCapacity: true)
    }

    /// The request ended, however it did: it probes nothing any more.
    func ended(_ attempt: AttemptID) {
        for shard in limited { shard.pace?.ended(attempt) }
    }

    /// Nothing waits, and nothing was refused for long.
    func isOver(now: Instant) -> Bool {
        limited.isEmpty && loose.isEmpty && now - lastRefusal >= ShardPace.memory
    }

    /// Takes out the shards that need no pace any more.
    mutating func takeRecovered(now: Instant) -> [Shard] {
        let recovered = limited.filter { $0.pace?.isOver(now: now) ?? true }
        guard !recovered.isEmpty else { return [] }
        for shard in recovered { shard.pace = nil }
        limited.removeAll { $0.pace == nil }
        return recovered
    }

    /// Nothing waits any more: memory was given back. What was learnt stays.
    mutating func clear() {
        loose = []
        for shard in limited { shard.line = [] }
    }

    /// What waits for nothing any more leaves the lines.
    func purge(where isGated: (EventKey) -> Bool) {
        for shard in limited { shard.line.removeAll { !isGated($0) } }
    }
}
