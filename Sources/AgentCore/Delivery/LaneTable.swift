// SPDX-License-Identifier: Apache-2.0

/// What a destination knows of its lanes, once so many of its events are blocked that it must forget some.
struct LaneTable {
    /// Blocked events in memory, and keys with an event that is not done, of each lane.
    var waiting = [Int](repeating: 0, count: 256)
    var keys = [Int](repeating: 0, count: 256)
    /// Lanes of which only ``resume`` is known: no event above it is in memory, but for heads of keys that were
    /// there when the lane was spilled.
    private(set) var spilled = LaneSet()
    private var resume: [Lane: EventID] = [:]

    /// The lanes that hold most of the blocked events: so many that the others hold no more than `left`.
    func fullest(leaving left: Int) -> LaneSet {
        var lanes = LaneSet()
        var total = waiting.reduce(0, +)
        for lane in (0...255 as ClosedRange<Lane>).sorted(by: { waiting[Int($0)] > waiting[Int($1)] }) {
            guard total > left, waiting[Int(lane)] > 0 else { break }
            total -= waiting[Int(lane)]
            lanes.insert(lane)
        }
        return lanes
    }

    mutating func spill(_ lane: Lane, resumeAfter id: EventID) {
        spilled.insert(lane)
        resume[lane] = min(id, resume[lane] ?? id)
    }

    /// The spilled lanes whose last events are done, and the id to read them from. (A lane is read only then, so that
    /// no event is met that is still in a request, and none that was settled after the snapshot.)
    ///
    /// - Parameter isWanted: Whether a lane's events could go.
    func readable(where isWanted: (Lane) -> Bool) -> (lanes: LaneSet, after: EventID)? {
        var lanes = LaneSet()
        var after: EventID?
        for (lane, id) in resume where keys[Int(lane)] == 0 && isWanted(lane) {
            lanes.insert(lane)
            after = min(id, after ?? id)
        }
        return after.map { (lanes, $0) }
    }

    /// Whether an event of a lane being read is new.
    func isNew(_ id: EventID, in lane: Lane) -> Bool { resume[lane].map { id > $0 } ?? false }

    /// The lanes were read up to `through`, and the destination's other events up to `readThrough`: lanes that have
    /// come as far are lanes like all others again.
    mutating func wasRead(_ lanes: LaneSet, through: EventID, readThrough: EventID) {
        for (lane, id) in resume where lanes.contains(lane) {
            if through >= readThrough {
                resume[lane] = nil
                spilled.remove(lane)
            } else {
                resume[lane] = max(id, through)
            }
        }
    }
}
