// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// A queue file as one commit left it.
struct ModelContents {
    /// Markers of events by id.
    var rows: [Int64: Int] = [:]
    var dead: Set<Int64> = []
    var nextID: Int64 = 1
    var serial: Int64 = 1
}

/// A file on a disk that fails: what the process sees, and what of it would survive a power cut.
struct ModelFile {
    /// What a power cut leaves at least.
    private(set) var durable = ModelContents()
    /// Commits since, oldest first.
    private(set) var unsynced: [ModelContents] = []
    var isDamaged = false
    var isMoved = false
    var frames = 0

    var contents: ModelContents { unsynced.last ?? durable }

    mutating func write(_ contents: ModelContents, synced: Bool) {
        unsynced.append(contents)
        frames += 10
        if synced { sync() }
    }

    mutating func sync() {
        durable = contents
        unsynced = []
    }

    /// The power goes, or the system drops what it could not write: some of the last commits are gone.
    mutating func forget(_ random: inout SeededGenerator) {
        unsynced.removeLast(Int.random(in: 0...unsynced.count, using: &random))
    }

    /// A new file, with what could be read of the damaged one; and no commit that nobody was told of.
    mutating func replace(known: ModelContents, _ random: inout SeededGenerator) {
        forget(&random)
        var new = contents
        new.rows = new.rows.filter { $0.key < known.nextID }
        new.dead = new.dead.filter { $0 < known.nextID }
        new.nextID = max(known.nextID, new.nextID)
        new.serial = max(known.serial, new.serial) + 1000
        durable = new
        unsynced = []
        isDamaged = false
        frames = 0
    }
}
