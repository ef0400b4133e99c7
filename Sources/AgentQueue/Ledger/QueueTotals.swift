// SPDX-License-Identifier: Apache-2.0

/// Counts of events since the queue file was made. In every commit
/// `accepted = delivered + queuedEvents + deadLettered + expired + evicted + lost`.
public struct QueueTotals: Hashable, Sendable {
    public var accepted: Int64 = 0
    public var delivered: Int64 = 0
    /// In the dead letters now, or purged from them.
    public var deadLettered: Int64 = 0
    /// Removed for being older than `queue.max_age`.
    public var expired: Int64 = 0
    /// Removed to make room, under `when_full = "drop-oldest"`.
    public var evicted: Int64 = 0
    /// Rows that a damaged file no longer gave.
    public var lost: Int64 = 0
    /// Turned away; never accepted.
    public var refused: Int64 = 0
    public var queuedEvents: Int64 = 0
    /// Data, keys and ``eventOverhead`` of the queued events.
    public var queuedBytes: Int64 = 0
    /// In the dead letters now.
    public var deadEvents: Int64 = 0
    public var deadBytes: Int64 = 0

    public init() {}

    /// What an event counts beside its data and keys, in bytes.
    public static let eventOverhead: Int64 = 64

    public var isBalanced: Bool { imbalance == 0 }

    /// Events accepted that nothing accounts for.
    var imbalance: Int64 {
        accepted - (delivered + queuedEvents + deadLettered + expired + evicted + lost)
    }

    public static func += (a: inout QueueTotals, b: QueueTotals) {
        a.accepted += b.accepted
        a.delivered += b.delivered
        a.deadLettered += b.deadLettered
        a.expired += b.expired
        a.evicted += b.evicted
        a.lost += b.lost
        a.refused += b.refused
        a.queuedEvents += b.queuedEvents
        a.queuedBytes += b.queuedBytes
        a.deadEvents += b.deadEvents
        a.deadBytes += b.deadBytes
    }
    static func -= (a: inout QueueTotals, b: QueueTotals) {
        a.accepted -= b.accepted
        a.delivered -= b.delivered
        a.deadLettered -= b.deadLettered
        a.expired -= b.expired
        a.evicted -= b.evicted
        a.lost -= b.lost
        a.refused -= b.refused
        a.queuedEvents -= b.queuedEvents
        a.queuedBytes -= b.queuedBytes
        a.deadEvents -= b.deadEvents
        a.deadBytes -= b.deadBytes
    }
}
