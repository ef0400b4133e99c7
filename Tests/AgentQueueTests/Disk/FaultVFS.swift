// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// SQLite's own VFS over real files, in which calls fail on demand, and which knows what would survive a power cut.
///
/// Each test registers one of its own. The methods of an open file are replaced by a copy of themselves that asks
/// here first. Real syncs are left out: what is on the platter is kept in ``DiskImage``s, by the file's name.
final class FaultVFS: Sendable {
    enum Call: Int, CaseIterable, Sendable {
        case open, remove, read, write, sync, truncate, map

        /// What a call that fails returns, from `sqlite3.h`.
        var code: Int32 {
            switch self {
            case .open: SQLITE_CANTOPEN
            case .remove: SQLITE_IOERR | 10 << 8
            case .read: SQLITE_IOERR | 1 << 8
            case .write: SQLITE_IOERR | 3 << 8
            case .sync: SQLITE_IOERR | 4 << 8
            case .truncate: SQLITE_IOERR | 6 << 8
            case .map: SQLITE_IOERR | 21 << 8
            }
        }

        var changesTheDisk: Bool {
            switch self {
            case .remove, .write, .sync, .truncate: true
            case .open, .read, .map: false
            }
        }
    }

    struct Plan: Sendable {
        /// Calls so far.
        var counts = [Int](repeating: 0, count: Call.allCases.count)
        /// Which calls of a kind fail, counted from 0.
        var faults: [Call: Range<Int>] = [:]
        var scattered: [Call: Set<Int>] = [:]
        var codes: [Call: Int32] = [:]
        /// Calls that failed.
        var hits = 0
        /// Whether a sync of the WAL that fails takes the written bytes with it, rather than leave them in the
        /// system's cache.
        var failedSyncForgets = false
        /// Changes that are still made before the power goes.
        var changesLeft: Int?
        var isOff = false
        var images: [String: DiskImage] = [:]
        var random = SeededGenerator(seed: 0)
    }

    let name: String
    let slot: Int
    private let plan: Lock<Plan>

    init(images: [String: DiskImage] = [:], seed: UInt64 = 0) {
        var plan = Plan()
        plan.images = images
        plan.random = SeededGenerator(seed: seed)
        self.plan = Lock(plan)
        slot = FaultShim.reserve()
        name = "fault-\(slot)"
        FaultShim.register(self)
    }

    // MARK: What tests ask for

    /// Makes calls of a kind fail from now on: `times` of them, after `skipped` that pass.
    func fail(_ call: Call, times: Int = 1, after skipped: Int = 0, code: Int32? = nil) {
        plan.withLock { plan in
            let first = plan.counts[call.rawValue] + skipped
            plan.faults[call] = first..<(times == .max ? .max : first + times)
            plan.codes[call] = code
        }
    }

    /// No call fails any more.
    func lift() {
        plan.withLock { plan in
            plan.faults = [:]
            plan.scattered = [:]
        }
    }

    func set(_ change: (inout Plan) -> Void) { plan.withLock { change(&$0) } }

    func count(_ call: Call) -> Int { plan.withLock { $0.counts[call.rawValue] } }
    var forgets: Bool { plan.withLock { $0.failedSyncForgets } }
    var hits: Int { plan.withLock { $0.hits } }

    // MARK: Power

    /// Turns the power off after so many more writes, syncs, truncations and removals; the last one is under way then.
    func cutPower(after changes: Int) { plan.withLock { $0.changesLeft = changes } }
    func cutPower() { plan.withLock { $0.isOff = true } }

    var changesLeft: Int? { plan.withLock { $0.changesLeft } }

    /// The end of its use: nothing is done any more, and nothing kept.
    func retire() {
        plan.withLock { plan in
            plan.isOff = true
            plan.images = [:]
        }
    }

    var isOff: Bool { plan.withLock { $0.isOff } }
    var images: [String: DiskImage] { plan.withLock { $0.images } }

    /// The files that a machine finds which is turned on again.
    func survivors(seed: UInt64) -> [String: [UInt8]] {
        var random = SeededGenerator(seed: seed)
        return images.sorted { $0.key < $1.key }.reduce(into: [:]) { files, image in
            files[image.key] = image.value.survivor(&random)
        }
    }

    // MARK: What the shim asks

    /// The code to fail with; `nil` where the call is made.
    func refusal(of call: Call) -> Int32? {
        plan.withLock { plan in
            let index = plan.counts[call.rawValue]
            plan.counts[call.rawValue] += 1
            if plan.isOff { return call.code }
            guard plan.faults[call]?.contains(index) == true || plan.scattered[call]?.contains(index) == true else {
                return nil
            }
            plan.hits += 1
            return plan.codes[call] ?? call.code
        }
    }

    /// Whether the power lasts for one more change. The one during which it goes is noted, but not made.
    func hasPower(for call: Call) -> Bool {
        plan.withLock { plan in
            guard call.changesTheDisk, let left = plan.changesLeft else { return !plan.isOff }
            plan.changesLeft = left - 1
            if left <= 0 { plan.isOff = true }
            return left > 0
        }
    }

    func note(_ change: DiskImage.Change, of name: String) { plan.withLock { $0.images[name]?.note(change) } }

    func synced(_ name: String, withFolder: Bool) {
        plan.withLock { plan in
            plan.images[name]?.sync()
            if withFolder { for other in plan.images.keys { plan.images[other]?.syncName() } }
        }
    }

    /// What the system's cache holds after the sync failed; `nil`: what it held before.
    func syncFailed(_ name: String) -> [UInt8]? {
        plan.withLock { plan in
            plan.images[name]?.failSync(&plan.random)
            return plan.failedSyncForgets && name.hasSuffix("-wal") ? plan.images[name]?.durable ?? [] : nil
        }
    }

    func opened(_ name: String, holding bytes: () -> [UInt8]?) {
        plan.withLock { plan in
            if plan.images[name] == nil { plan.images[name] = DiskImage(bytes()) }
        }
    }
}
