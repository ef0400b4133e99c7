// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Synchronization

/// SQLite's own VFS, with syncs, writes and opens that fail on demand.
///
/// Each test registers one of its own. The methods of an open file are replaced by a copy of themselves in which
/// xSync and xWrite ask the plan first.
final class FaultVFS: Sendable {
    struct Plan {
        var failSyncs = 0
        var failWrites = 0
        /// What a write that fails returns: SQLITE_IOERR_WRITE.
        var writeCode = SQLITE_IOERR | 3 << 8
        var failOpens = 0
        /// Syncs so far.
        var syncs = 0
        /// Syncs and writes that pass before one fails.
        var skipSyncs = 0
        var skipWrites = 0
    }

    let name: String
    private let slot: Int

    static let plans = Mutex<[Plan]>([])
    private static let originals = Mutex<[Original]>([])

    private struct Original: @unchecked Sendable {
        // SAFETY: a table of functions that is never written to after it was made.
        let methods: UnsafePointer<sqlite3_io_methods>
        let copy: UnsafePointer<sqlite3_io_methods>
        let slot: Int
    }

    init() {
        slot = Self.plans.withLock { plans in
            plans.append(Plan())
            return plans.count - 1
        }
        name = "fault-\(slot)"
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: sqlite3_vfs_find(nil)!.pointee)
        vfs.pointee.zName = UnsafePointer(strdupForever(name))
        vfs.pointee.pAppData = UnsafeMutableRawPointer(bitPattern: slot + 1)
        vfs.pointee.xOpen = { vfs, path, file, flags, outFlags in
            let slot = Int(bitPattern: vfs?.pointee.pAppData) - 1
            if FaultVFS.take(slot, \.failOpens) { return SQLITE_CANTOPEN }
            let real = sqlite3_vfs_find(nil)!
            // The unix VFS finds out about its locking style through the VFS that it is given.
            let result = real.pointee.xOpen(real, path, file, flags, outFlags)
            if result == SQLITE_OK, let file { FaultVFS.wrap(file, slot) }
            return result
        }
        sqlite3_vfs_register(vfs, 0)
    }

    func set(_ change: (inout Plan) -> Void) { Self.plans.withLock { change(&$0[slot]) } }

    var syncs: Int { Self.plans.withLock { $0[slot].syncs } }

    /// Whether no fault is left.
    var isSpent: Bool { Self.plans.withLock { $0[slot].failSyncs + $0[slot].failWrites == 0 } }

    private static func take(
        _ slot: Int,
        _ counter: WritableKeyPath<Plan, Int>,
        after skips: WritableKeyPath<Plan, Int>? = nil
    ) -> Bool {
        plans.withLock { plans in
            if let skips, plans[slot][keyPath: skips] > 0 {
                plans[slot][keyPath: skips] -= 1
                return false
            }
            guard plans[slot][keyPath: counter] > 0 else { return false }
            plans[slot][keyPath: counter] -= 1
            return true
        }
    }

    private static func wrap(_ file: UnsafeMutablePointer<sqlite3_file>, _ slot: Int) {
        guard let methods = file.pointee.pMethods else { return }
        originals.withLock { originals in
            if let known = originals.first(where: { $0.methods == methods && $0.slot == slot }) {
                file.pointee.pMethods = known.copy
                return
            }
            let copy = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
            copy.initialize(to: methods.pointee)
            copy.pointee.xSync = { file, flags in
                let original = FaultVFS.original(of: file)
                FaultVFS.plans.withLock { $0[original.slot].syncs += 1 }
                if FaultVFS.take(original.slot, \.failSyncs, after: \.skipSyncs) { return SQLITE_IOERR | 4 << 8 }
                return original.methods.pointee.xSync(file, flags)
            }
            copy.pointee.xWrite = { file, bytes, count, offset in
                let original = FaultVFS.original(of: file)
                if FaultVFS.take(original.slot, \.failWrites, after: \.skipWrites) {
                    return FaultVFS.plans.withLock { $0[original.slot].writeCode }
                }
                return original.methods.pointee.xWrite(file, bytes, count, offset)
            }
            originals.append(Original(methods: methods, copy: UnsafePointer(copy), slot: slot))
            file.pointee.pMethods = UnsafePointer(copy)
        }
    }

    private static func original(of file: UnsafeMutablePointer<sqlite3_file>?) -> Original {
        let methods = file?.pointee.pMethods
        return originals.withLock { originals in originals.first { $0.copy == methods }! }
    }
}

private func strdupForever(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { copy[index] = byte }
    return copy
}
