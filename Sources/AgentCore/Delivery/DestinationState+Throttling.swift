// SPDX-License-Identifier: Apache-2.0
internal import DequeModule

// Shards that refuse for want of capacity. The events of such a shard wait in the lines of their keys, and the keys in
// the shard's line; events without a key wait only where no shard at all takes them. What more there is of such a shard
// than may be remembered is spilled with its lanes, and read again when the line gets short.

/// A request in the making: when, under which name, and chance, where it needs some.
struct DraftContext {
    let attempt: AttemptID
    let now: Instant
    var generator: SeededGenerator
}

extension DestinationState {
    /// How many keys' events are fetched together, where the first of a shard's line has left memory.
    private static let keysPerFetch = 64
    private static let fetchesBefore = Duration.milliseconds(500)
    /// Random keys that are tried to find a shard that takes one more record.
    private static let mostTries = 16

    // MARK: Into the lines

    /// Puts a fresh event aside where its shard takes no more than so much.
    ///
    /// - Returns: `false` where it may go.
    func gate(_ item: Item, at point: UInt128, share: Int) -> Bool {
        guard keys.index(forKey: item.key) == nil, let shard = throttle?.limit(of: point) else { return false }
        addKey(item.key, .gated)
        shard.line.append(item.key)
        hold(item, share: share)
        return true
    }

    /// Records were refused by shards that are known now: they come first when those take records again.
    func comeBack(_ items: ArraySlice<Item>, at point: UInt128?, share: Int) {
        // Last first, as each goes to the front of its key's line.
        for item in items.reversed() {
            if needsRescan {
                forgetPayload(item)
            } else if !isOrdered(item.key), let state = keys[item.key], state.phase != .held {
                // Another event of the key is there already.
                hold(item, share: share)
            } else if let point, let shard = throttle?.limit(of: point) {
                holdFirst(item, phase: .gated, share: share)
                if keys[item.key]?.waiting.count == 1 || items.count == 1 || item.id == items.first?.id {
                    shard.line.prepend(item.key)
                }
            } else {
                restore(item)
            }
        }
    }

    /// The shards are not there any more, or take all again: what waited for them goes to where it belongs now.
    func release(_ shards: [Shard]) {
        for shard in shards {
            let line = shard.line
            shard.line = []
            for key in line where keys[key]?.phase == .gated { promote(key) }
        }
    }

    /// Shards that refused nothing for long are like all others again, and with the last of them ends the throttling.
    func endThrottling(now: Instant) {
        release(throttle?.takeRecovered(now: now) ?? [])
        if throttle?.isOver(now: now) == true { throttle = nil }
    }

    // MARK: Out of the lines

    /// Takes what waits for shards that take some now, up to `most` events and `mostBytes`.
    func takeGated(most: Int, mostBytes: Int, _ context: inout DraftContext, _ draft: inout Draft) {
        takeLoose(most: most, mostBytes: mostBytes, &context, &draft)
        guard let limited = throttle?.limited else { return }
        for shard in limited where !shard.line.isEmpty {
            while draft.items.count < most, shard.pace?.permits(now: context.now) == true, let key = shard.line.first {
                guard let state = keys[key], state.phase == .gated, let head = state.waiting.first else {
                    shard.line.removeFirst()
                    if keys[key]?.phase == .gated { removeKey(key) }
                    continue
                }
                guard head.id > goneThrough else {
                    shard.line.removeFirst()
                    if let gone = takeGated(key) { drop(gone) }
                    continue
                }
                guard head.data != nil else { break }
                guard draft.fits(head, mostBytes: mostBytes) else { return }
                shard.line.removeFirst()
                guard let item = takeGated(key) else { continue }
                add(item, at: key.hashPoint, context, &draft)
            }
        }
    }

    private func takeLoose(most: Int, mostBytes: Int, _ context: inout DraftContext, _ draft: inout Draft) {
        while draft.items.count < most, let item = throttle?.loose.first {
            guard item.id > goneThrough else {
                throttle?.loose.removeFirst()
                forgetPayload(item)
                continue
            }
            guard draft.fits(item, mostBytes: mostBytes), place(item, &context, &draft) else { return }
            throttle?.loose.removeFirst()
        }
    }

    /// Puts an event without a key where a shard takes it.
    ///
    /// - Returns: `false` where none was found.
    func place(_ item: Item, _ context: inout DraftContext, _ draft: inout Draft) -> Bool {
        for _ in 0..<Self.mostTries {
            let key = context.generator.partitionKey(room: settings.maxRecordBytes - item.recordBytes)
            let point = EventKey(partitionKey: key).hashPoint
            if throttle?.limit(of: point)?.pace?.permits(now: context.now) ?? true {
                draft.ownKeys[item.id] = key
                add(item, at: point, context, &draft)
                return true
            }
        }
        throttle?.foundNone(now: context.now)
        return false
    }

    /// Adds an event to a draft, and counts it against its shard.
    func add(_ item: Item, at point: UInt128, _ context: DraftContext, _ draft: inout Draft) {
        guard item.recordBytes <= settings.maxRecordBytes else { return keep(item) }
        draft.add(item)
        draft.points.append(point)
        throttle?.spend(point, bytes: item.recordBytes, attempt: context.attempt, now: context.now)
    }

    /// When something that waits for a shard may go, of what is in memory.
    func releasesAt(now: Instant) -> Instant {
        throttle?.releasesAt(now: now) { !isAway($0) } ?? .never
    }

    /// Has payloads fetched where the first in a shard's line has left memory, and may go soon.
    ///
    /// - Returns: when to look again.
    func prefetch(now: Instant) -> Instant {
        guard let limited = throttle?.limited, fetchQueue.isEmpty, pendingLoad?.isFetch != true else { return .never }
        var next = Instant.never
        for shard in limited {
            guard let first = shard.line.first, isAway(first), let at = shard.pace?.permitsAt(now: now) else {
                continue
            }
            guard at <= now + Self.fetchesBefore else {
                if at < .never {
                    next = min(next, Instant(nanoseconds: at.nanoseconds - Self.fetchesBefore.wholeNanoseconds))
                }
                continue
            }
            while fetchQueue.count < Self.keysPerFetch, let key = shard.line.first, isAway(key) {
                shard.line.removeFirst()
                setPhase(of: key, from: .gated, to: .fetching)
                fetchQueue.append(key)
            }
        }
        return next
    }

    /// Whether the key waits for its shard, and its next event is not in memory.
    private func isAway(_ key: EventKey) -> Bool {
        guard let state = keys[key], state.phase == .gated, let head = state.waiting.first else { return false }
        return head.data == nil
    }
}

extension SeededGenerator {
    /// A random partition key for an event that has none, so that such events spread over all shards; short enough
    /// for the record to stay within its limit.
    mutating func partitionKey(room: Int) -> String {
        var bits = next()
        return String(unsafeUninitializedCapacity: 12) { text in
            let count = max(1, min(12, room))
            for i in 0..<count {
                text[i] = UInt8(ascii: "a") + UInt8(bits & 15)
                bits >>= 4
            }
            return count
        }
    }
}
