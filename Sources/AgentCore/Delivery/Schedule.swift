// SPDX-License-Identifier: Apache-2.0
internal import DequeModule
internal import HeapModule

/// Which destinations a plan has to look at, and whose turn it is: what a plan costs is what changed, however many
/// destinations there are.
///
/// A destination is looked at when something happened to it, when its time has come, or when a gate moved that it waits
/// for. If it can send then, it is listed among those of its standing, and stays there until a worker is free for it.
struct Schedule {
    private struct Wake: Comparable {
        let at: Instant
        let state: DestinationState

        static func < (a: Wake, b: Wake) -> Bool { a.at < b.at }
        static func == (a: Wake, b: Wake) -> Bool { a.at == b.at }
    }

    /// Of those that are late, who was heard of last comes first: those that hang were heard of before those that only
    /// had no worker.
    private struct LateTurn: Comparable {
        let heardAt: Instant
        let state: DestinationState

        static func < (a: LateTurn, b: LateTurn) -> Bool { a.heardAt < b.heardAt }
        static func == (a: LateTurn, b: LateTurn) -> Bool { a.heardAt == b.heardAt }
    }

    private var touched: [DestinationState] = []
    private var wakes: Heap<Wake> = []
    private var lines: [Standing: Deque<DestinationState>] = [:]
    private var late: Heap<LateTurn> = []
    /// Those that want to read, and found no room.
    private(set) var hungry: Deque<DestinationState> = []
    /// The same for those whose events do not flow: what they read is for a probe.
    private var hungryForProbes: Deque<DestinationState> = []

    // MARK: Looking

    var isQuiet: Bool { touched.isEmpty }

    mutating func touch(_ state: DestinationState) {
        guard !state.isTouched else { return }
        state.isTouched = true
        touched.append(state)
    }

    /// Those that are to be looked at; they count as looked at.
    mutating func takeTouched() -> [DestinationState] {
        defer { touched = [] }
        for state in touched { state.isTouched = false }
        return touched
    }

    /// Has the destination looked at by `at`. An earlier time that was asked for holds.
    mutating func wake(_ state: DestinationState, at: Instant) {
        guard at < state.wakesAt else { return }
        state.wakesAt = at
        wakes.insert(Wake(at: at, state: state))
    }

    mutating func touchDue(now: Instant) {
        while let wake = wakes.min, wake.at <= now {
            wakes.removeMin()
            // Else an earlier time was asked for since, and has passed.
            guard wake.state.wakesAt == wake.at else { continue }
            wake.state.wakesAt = .never
            touch(wake.state)
        }
    }

    var nextWake: Instant { wakes.min?.at ?? .never }

    // MARK: Turns

    mutating func list(_ state: DestinationState, as standing: Standing) {
        guard state.listedAs == nil else { return }
        state.listedAs = standing
        if standing == .late {
            late.insert(LateTurn(heardAt: state.gate.lastSuccess ?? .zero, state: state))
        } else {
            lines[standing, default: []].append(state)
        }
    }

    /// Takes out the destination whose turn it is.
    mutating func next(_ standing: Standing) -> DestinationState? {
        let state = standing == .late ? late.popMax()?.state : lines[standing]?.popFirst()
        state?.listedAs = nil
        return state
    }

    func first(_ standing: Standing) -> DestinationState? {
        standing == .late ? late.max?.state : lines[standing]?.first
    }

    // MARK: Reading

    mutating func waitForRoom(_ state: DestinationState, forProbe: Bool) {
        guard !state.isHungry else { return }
        state.isHungry = true
        if forProbe { hungryForProbes.append(state) } else { hungry.append(state) }
    }

    /// Takes out the one that waited longest.
    mutating func nextHungry(forProbes: Bool) -> DestinationState? {
        let state = forProbes ? hungryForProbes.popFirst() : hungry.popFirst()
        state?.isHungry = false
        return state
    }

    func hungryCount(forProbes: Bool) -> Int { forProbes ? hungryForProbes.count : hungry.count }
}
