// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc

// A damaged file does not stop the service.
//
//   1. What its first pages tell is read: destinations, totals, the next id (DamagedHead). While the agent runs, its
//      own ledger knows better.
//   2. A new file is made beside it, with those destinations and totals, with ids above all that can have been given
//      out, and with an entry of `carry_over` for each table that may still give rows. Until then nothing has changed;
//      a crash starts it over.
//   3. The damaged file and its WAL are moved aside, under a name that says so, and the new one takes their place.
//      From here on events are taken.
//   4. The writer carries the rows over in slices, between other work, with their old ids (Writer+CarryingOver). Each
//      slice is a transaction that holds the rows and how far it came, so that a crash goes on where it was.
//   5. When a table is done, what it should have held and did not give is counted as lost.
//
// Meanwhile the rows count as queued, whichever file they are in, so totals balance and the quota holds. Loads of a
// destination fail until its events are carried over: nothing of it is delivered that could overtake them. What
// delivery had in memory before goes on; its settlements are held back until the rows are there to be deleted. Neither
// age nor room removes events of such a destination.

/// Puts a new file in the place of a damaged one.
enum Salvage {
    struct Outcome {
        let aside: String
        let message: String
        /// Events and dead letters that may still be read from it.
        let pending: Int64
        /// Those that cannot.
        let lost: Int64

        var notice: QueueNotice { .damaged(aside: aside, message: message, pending: pending, lost: lost) }
    }

    /// Ids that are left out where the file does not tell exactly how far it had come: more than any WAL can hold.
    static let idGap: Int64 = 1_000_000

    /// Replaces the file; nobody has it open. Reads none of its events.
    ///
    /// - Parameter known: what the writer knew of it, exact, where it was running.
    static func replace(
        _ settings: QueueSettings,
        known: Ledger?,
        clock: AgentClock.Mark,
        because error: QueueError
    ) throws(QueueError) -> Outcome {
        try keepLog(of: settings.path)
        var place = settings
        place.path = settings.path + ".salvage"
        removeDatabase(place.path)
        let aside = asideName(settings.path, wallMS: clock.wallMS)
        var (ledger, lost) = plan(DamagedHead(settings), known: known, clock: clock, source: fileName(aside))
        do {
            let target = try WriteConnection(place, clock: clock)
            try target.begin(synced: true)
            for account in ledger.accounts {
                try target.create(account.id, account.destination)
                if account.isPaused { try target.setPaused(true, account.id) }
            }
            for carryOver in ledger.carryOvers { try target.write(carryOver) }
            try target.write(&ledger, clock: clock)
            try target.commit()
            try target.closeCleanly()
        }
        if FileIdentity(settings.path) != nil { try move(settings.path, to: aside) }
        try finishMove(settings.path, aside: aside)
        let pending = ledger.carryOvers.reduce(0) { $0 + $1.left.count }
        return Outcome(aside: aside, message: error.description, pending: pending, lost: lost)
    }

    /// Where the file is gone or empty, SQLite deletes the WAL on opening it; with a page of zeros it reads what the WAL
    /// has, which of a young queue may be all.
    private static func keepLog(of path: String) throws(QueueError) {
        guard FileIdentity(path).map({ $0.size == 0 }) ?? true, let log = FileIdentity(path + "-wal"), log.size > 32
        else { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "create", path: path, errno: errno) }
        defer { close(descriptor) }
        guard ftruncate(descriptor, 4096) == 0 else { throw .system(operation: "write", path: path, errno: errno) }
    }

    /// What the new file starts with, and how many events are lost already.
    private static func plan(_ head: DamagedHead, known: Ledger?, clock: AgentClock.Mark, source: String) -> (
        Ledger, Int64
    ) {
        var ledger = Ledger()
        var lost: Int64 = 0
        ledger.serial = Ledger.serial(after: known)
        let found = max(head.nextID?.rawValue ?? 1, head.lastID.rawValue + 1)
        if let known {
            ledger.nextID = EventID(max(known.nextID.rawValue, found))
        } else {
            // Where the file does not tell, microseconds since 1970: no queue has come so far.
            ledger.nextID = EventID(max(found + idGap, head.nextID == nil ? clock.wallMS * 1000 : 0))
        }
        // Rows of a commit that failed, and that nobody was told of, are left out.
        let below = known?.nextID ?? ledger.nextID
        for var account in known?.accounts ?? head.accounts {
            if known == nil { account.totals.dropImplausible(fileBytes: head.fileBytes) }
            account.isStored = true
            account.isTouched = true
            account.head = nil
            var pending = (known?.carryOvers ?? head.carryOvers).filter { $0.destination == account.id }
            for index in pending.indices {
                pending[index].expected = pending[index].left
                pending[index].carried = CarryOver.Amount()
                let others = pending[..<index].filter { $0.rows == pending[index].rows }
                let amount = others.reduce(account.totals.amount(of: pending[index].rows)) { $0 - $1.expected }
                pending[index].limit(to: amount)
            }
            for rows in [CarryOver.Rows.events, .letters] {
                let elsewhere = pending.filter { $0.rows == rows }
                let expected =
                    account.totals.amount(of: rows) - elsewhere.reduce(CarryOver.Amount()) { $0 + $1.expected }
                let new = CarryOver(
                    destination: account.id,
                    rows: rows,
                    source: source,
                    below: below,
                    expected: expected
                )
                let table = rows == .events ? Schema.eventTable(account.id) : "dead_letter"
                if !head.tables.contains(table) {
                    lost += expected.count
                    account.totals.settle(new)
                } else if known == nil || expected.count > 0 {
                    pending.append(new)
                }
            }
            if known == nil { account.totals.accepted -= account.totals.imbalance }
            ledger.add(account)
            for carryOver in pending { ledger.add(carryOver) }
        }
        return (ledger, lost)
    }

    /// Ends what a crash interrupted in the middle of ``replace(_:known:clock:because:)``.
    static func finishInterrupted(path: String, wallMS: Int64) throws(QueueError) {
        guard FileIdentity(path + ".salvage") != nil else { return }
        if FileIdentity(path) == nil {
            try finishMove(path, aside: asideNamed(in: path + ".salvage") ?? asideName(path, wallMS: wallMS))
        } else {
            removeDatabase(path + ".salvage")
        }
    }

    /// Where the damaged file was moved to, if rows of it are to be carried over: its WAL has to go with it.
    private static func asideNamed(in path: String) -> String? {
        guard let new = try? SQLiteConnection(path: path, flags: SQLITE_OPEN_READWRITE),
            let last = (try? new.carryOvers())?.last(where: {
                FileIdentity("\(folder(of: path))/\($0.source)-wal") == nil
            })
        else { return nil }
        return "\(folder(of: path))/\(last.source)"
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
        while FileIdentity(name) != nil || FileIdentity(name + "-wal") != nil {
            count += 1
            name = "\(base)-\(count)"
        }
        return name
    }

    private static func fileName(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
