// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// One file as the platter has it, and what was done to it since its last sync.
///
/// Sectors of 512 bytes are written whole or not at all, in any order; bytes that a change does not touch keep their
/// value, as SQLite assumes (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
struct DiskImage: Sendable {
    enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case resize(Int)
        case remove
    }

    static let sector = 512

    /// `nil`: there is no such file.
    private(set) var durable: [UInt8]?
    private(set) var pending: [Change] = []

    init(_ bytes: [UInt8]?) { durable = bytes }

    mutating func note(_ change: Change) { pending.append(change) }

    mutating func sync() {
        for change in pending { Self.apply(change, to: &durable) }
        pending = []
    }

    /// A sync of the folder: whoever was removed stays so.
    mutating func syncName() {
        guard let last = pending.lastIndex(where: { if case .remove = $0 { true } else { false } }) else { return }
        durable = nil
        pending.removeFirst(last + 1)
    }

    /// A sync that failed: the system takes what it could not write for clean, and does not write it again.
    mutating func failSync(_ random: inout SeededGenerator) {
        durable = survivor(&random)
        pending = []
    }

    /// What is left when the power goes: each change whole, torn, or not at all.
    func survivor(_ random: inout SeededGenerator) -> [UInt8]? {
        var bytes = durable
        for change in pending {
            switch change {
            case .remove:
                // The name still leads to the old file, and nobody sees the new one.
                guard Bool.random(using: &random) else { return bytes }
                bytes = nil
            case .resize:
                if Bool.random(using: &random) { Self.apply(change, to: &bytes) }
            case .write(let offset, let written):
                tear(written, at: offset, &bytes, &random)
            }
        }
        return bytes
    }

    private func tear(_ written: [UInt8], at offset: Int, _ bytes: inout [UInt8]?, _ random: inout SeededGenerator) {
        let sectors = offset / Self.sector...max(offset, offset + written.count - 1) / Self.sector
        let kept: (Int) -> Bool
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: kept = { _ in true }
        case 2: kept = { _ in false }
        case 3:
            // The file may have grown already, without what was to be in it.
            Self.apply(.resize(max(bytes?.count ?? 0, offset + written.count)), to: &bytes)
            kept = { _ in false }
        case 4:
            let end = Int.random(in: sectors, using: &random)
            kept = { $0 < end }
        default:
            let chosen = Set(sectors.filter { _ in Bool.random(using: &random) })
            kept = { chosen.contains($0) }
        }
        for sector in sectors where kept(sector) {
            let from = max(offset, sector * Self.sector)
            let to = min(offset + written.count, (sector + 1) * Self.sector)
            Self.apply(.write(offset: from, bytes: Array(written[from - offset..<to - offset])), to: &bytes)
        }
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]?) {
        switch change {
        case .remove: bytes = nil
        case .resize(let count):
            let old = bytes?.count ?? 0
            if count < old {
                bytes?.removeLast(old - count)
            } else {
                bytes = (bytes ?? []) + [UInt8](repeating: 0, count: count - old)
            }
        case .write(let offset, let written):
            if (bytes?.count ?? -1) < offset + written.count { apply(.resize(offset + written.count), to: &bytes) }
            bytes?.replaceSubrange(offset..<offset + written.count, with: written)
        }
    }
}
