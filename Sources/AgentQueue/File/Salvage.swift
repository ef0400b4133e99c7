// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc

/// Carries over what a damaged file still gives.
///
/// The rows go into a file of their own, which takes the place of the damaged one only when it is complete and on the
/// disk; the damaged one is kept beside it. A crash on the way starts it over, or finds it done.
struct Salvage: ~Copyable {
    struct Outcome {
        let aside: String
        let message: String
        let carried: Int64
        let lost: Int64

        var notice: QueueNotice { .damaged(aside: aside, message: message, carried: carried, lost: lost) }
    }

    /// Ids that are left out where the file does not tell how far it had come: more than any WAL can hold.
    private static let idGap: Int64 = 1_000_000

    private let source: SQLiteConnection
    private let target: WriteConnection
    private var ledger = Ledger()
    private var highest = EventID.zero
    private var uncommitted = 0
    private var carried: Int64 = 0
    private var lost: Int64 = 0

    /// Replaces the file; nobody has it open.
    ///
    /// - Parameter known: what the writer knew of it, exact, where it was running.
    static func replace(
        _ settings: QueueSettings,
        known: Ledger?,
        clock: AgentClock.Mark,
        because error: QueueError
    ) throws(QueueError) -> Outcome {
        var place = settings
        place.path = settings.path + ".salvage"
        removeDatabase(place.path)
        var counts = (carried: Int64(0), lost: known?.totals.queuedEvents ?? 0)
        do {
            let target = try WriteConnection(place, clock: clock)
            do throws(QueueError) {
                var salvage = try Salvage(from: settings, to: target)
                counts = try salvage.run(known: known, clock: clock)
            } catch {
                // Not even its head can be read, and the new file starts empty, or from what the writer knew.
                guard !target.isInTransaction else { throw error }
                try target.begin(synced: true)
                var ledger = Ledger(outliving: known, gap: idGap)
                for account in ledger.accounts { try target.create(account.id, account.destination) }
                try target.write(&ledger, clock: clock)
                try target.commit()
            }
            try target.closeCleanly()
        }
        let aside = asideName(settings.path, wallMS: clock.wallMS)
        try move(settings.path, to: aside)
        try finishMove(settings.path, aside: aside)
        return Outcome(aside: aside, message: error.description, carried: counts.carried, lost: counts.lost)
    }

    /// Ends what a crash interrupted in the middle of ``replace(_:known:clock:because:)``.
    static func finishInterrupted(path: String, wallMS: Int64) throws(QueueError) {
        guard FileIdentity(path + ".salvage") != nil else { return }
        if FileIdentity(path) == nil {
            try finishMove(path, aside: asideName(path, wallMS: wallMS))
        } else {
            removeDatabase(path + ".salvage")
        }
    }

    /// The old WAL must not stay: SQLite would replay it over the new file.
    private static func finishMove(_ path: String, aside: String) throws(QueueError) {
        if FileIdentity(path + "-wal") != nil { try move(path + "-wal", to: aside + "-wal") }
        unlink(path + "-shm")
        try move(path + ".salvage", to: path)
        syncFolder(of: path)
    }

    private static func move(_ path: String, to other: String) throws(QueueError) {
        guard rename(path, other) == 0 else { throw .system(operation: "rename", path: path, errno: errno) }
    }

    private static func removeDatabase(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }

    /// `<path>.damaged-20260131T235959Z`, and more of it where that is taken.
    private static func asideName(_ path: String, wallMS: Int64) -> String {
        var seconds = time_t(wallMS / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let day = "\(parts.tm_year + 1900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))"
        let stamp = "\(day)T\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))Z"
        let base = "\(path).damaged-\(stamp)"
        var name = base
        var count = 1
        while FileIdentity(name) != nil {
            count += 1
            name = "\(base)-\(count)"
        }
        return name
    }

    private init(from settings: QueueSettings, to target: WriteConnection) throws(QueueError) {
        let source = try SQLiteConnection(path: settings.path, flags: SQLITE_OPEN_READWRITE, vfs: settings.vfs)
        try source.configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        _ = try source.integer("SELECT count(*) FROM sqlite_schema")
        self.source = source
        self.target = target
    }

    // MARK: Carrying over

    private mutating func run(known: Ledger?, clock: AgentClock.Mark) throws(QueueError) -> (Int64, Int64) {
        try target.begin(synced: false)
        let next = (try? source.integer("SELECT next_id FROM agent")) ?? 0
        for account in known?.accounts ?? readAccounts() {
            try target.create(account.id, account.destination)
            if account.isPaused { try target.setPaused(true, account.id) }
            try carry(account)
        }
        let floor = max(known?.nextID.rawValue ?? 0, next, highest.rawValue + 1)
        ledger.nextID = EventID(known == nil && next == 0 ? floor + Self.idGap : floor)
        ledger.serial = Ledger.serial(after: known)
        try target.write(&ledger, clock: clock)
        try target.commit()
        return (carried, lost)
    }

    /// The destinations with their totals, as far as they can be read.
    private func readAccounts() -> [Ledger.Account] {
        var accounts: [Ledger.Account] = []
        do throws(QueueError) {
            let rows = try SQLiteStatement(source, "SELECT id, account, region, name, paused FROM destination")
            while try rows.step() {
                var account = Ledger.Account(
                    id: DestinationID(rows.integer(0)),
                    destination: Destination(account: rows.text(1), region: rows.text(2), stream: rows.text(3))
                )
                account.isPaused = rows.integer(4) != 0
                account.totals = readTotals(account.id)
                accounts.append(account)
            }
        } catch {
            return accounts
        }
        return accounts
    }

    private func readTotals(_ id: DestinationID) -> QueueTotals {
        (try? QueueTotals.read(id, from: source)) ?? QueueTotals()
    }

    private mutating func carry(_ old: Ledger.Account) throws(QueueError) {
        var totals = old.totals
        let events = try carryRows(
            "FROM \(Schema.eventTable(old.id)) WHERE true",
            into: target.table(old.id)
        )
        let letters = try carryLetters(of: old.id)
        // A file that lost its totals still gives rows: they were accepted once.
        let gone = max(0, totals.queuedEvents - events.count)
        let deadGone = max(0, totals.deadEvents - letters.count)
        totals.accepted += max(0, events.count - totals.queuedEvents) + max(0, letters.count - totals.deadEvents)
        totals.deadLettered += max(0, letters.count - totals.deadEvents) - deadGone
        totals.lost += gone + deadGone
        totals.queuedEvents = events.count
        totals.queuedBytes = events.bytes
        totals.deadEvents = letters.count
        totals.deadBytes = letters.bytes
        // A count that rotted says less than the rows do.
        totals.deadLettered = max(totals.deadLettered, letters.count)
        totals.accepted = totals.accepted - totals.imbalance
        carried += events.count + letters.count
        lost += gone + deadGone
        var account = Ledger.Account(id: old.id, destination: old.destination, isStored: true, isPaused: old.isPaused)
        account.totals = totals
        account.isTouched = true
        ledger.add(account)
    }

    private mutating func carryRows(_ from: String, into table: EventTable) throws(QueueError) -> (
        count: Int64, bytes: Int64
    ) {
        var count: Int64 = 0
        var bytes: Int64 = 0
        try eachRow("SELECT id, key, hash_key, accepted_ms, crc, data \(from)") { (rows, salvage) throws(QueueError) in
            let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(5))
            // What fails its checksum would never be sent: it is among the lost.
            guard rows.holds(row.checksum, in: 4) else { return }
            try table.insert(row, id: EventID(rows.integer(0)), acceptedMS: rows.integer(3))
            count += 1
            bytes += row.quotaBytes
            try salvage.wrote(row)
        }
        return (count, bytes)
    }

    private mutating func carryLetters(of id: DestinationID) throws(QueueError) -> (count: Int64, bytes: Int64) {
        var count: Int64 = 0
        var bytes: Int64 = 0
        let letters = try target.deadLetterTable()
        let columns = "id, key, hash_key, accepted_ms, crc, data, dead_ms, code, reason"
        try eachRow("SELECT \(columns) FROM dead_letter WHERE destination = \(id.rawValue)") {
            (rows, salvage) throws(QueueError) in
            let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(5))
            guard rows.holds(row.checksum, in: 4) else { return }
            let letter = DeadLetter(
                destination: id,
                id: EventID(rows.integer(0)),
                code: rows.text(7),
                reason: rows.text(8)
            )
            try letters.insert(letter, row, acceptedMS: rows.integer(3), deadMS: rows.integer(6))
            count += 1
            bytes += row.quotaBytes
            try salvage.wrote(row)
        }
        return (count, bytes)
    }

    /// Reads from the first row on until damage, then from the last one back until damage.
    private mutating func eachRow(
        _ select: String,
        _ body: (borrowing SQLiteStatement, inout Salvage) throws(QueueError) -> Void
    ) throws(QueueError) {
        var reached = EventID.zero
        for order in ["ASC", "DESC"] {
            guard let rows = try? SQLiteStatement(source, "\(select) ORDER BY id \(order)") else { return }
            var isWhole = true
            while true {
                do throws(QueueError) {
                    guard try rows.step() else { break }
                } catch {
                    isWhole = false
                    break
                }
                let id = EventID(rows.integer(0))
                if order == "ASC" { reached = id } else if id <= reached { return }
                highest = max(highest, id)
                try body(rows, &self)
            }
            if isWhole { return }
        }
    }

    private mutating func wrote(_ row: Row) throws(QueueError) {
        uncommitted += Int(row.quotaBytes)
        guard uncommitted > 4 << 20 else { return }
        uncommitted = 0
        try target.commit()
        if target.walFrames > 4000 { _ = try target.checkpoint(SQLITE_CHECKPOINT_RESTART) }
        try target.begin(synced: false)
    }
}
