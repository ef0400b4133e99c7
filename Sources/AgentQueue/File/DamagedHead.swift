// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// What a damaged file tells of itself without its events: as much as can be read, perhaps nothing.
struct DamagedHead {
    private(set) var accounts: [Ledger.Account] = []
    private(set) var tables: Set<String> = []
    private(set) var nextID: EventID?
    /// The highest id that is easily found.
    private(set) var lastID = EventID.zero
    private(set) var carryOvers: [CarryOver] = []
    /// Of file and WAL together.
    let fileBytes: Int64

    init(_ settings: QueueSettings) {
        fileBytes = ["", "-wal"].reduce(0) { $0 + (FileIdentity(settings.path + $1)?.size ?? 0) }
        guard FileIdentity(settings.path) != nil else { return }
        // Each of these may fail by itself, and what the others give is used.
        guard let source = try? SQLiteConnection.damaged(settings.path, vfs: settings.vfs) else { return }
        try? readTables(source)
        try? readAccounts(source)
        nextID = (try? source.integer("SELECT next_id FROM agent")).flatMap {
            EventID.plausible.contains($0) ? EventID($0) : nil
        }
        carryOvers = (try? source.carryOvers(isDamaged: true)) ?? []
        for account in accounts {
            let table = Schema.eventTable(account.id)
            let last = EventID((try? source.integer("SELECT id FROM \(table) ORDER BY id DESC LIMIT 1")) ?? 0)
            if EventID.plausible.contains(last.rawValue) { lastID = max(lastID, last) }
        }
    }

    private mutating func readTables(_ source: borrowing SQLiteConnection) throws(QueueError) {
        let rows = try SQLiteStatement(source, "SELECT name FROM sqlite_schema WHERE type = 'table'")
        while try rows.step() { tables.insert(rows.text(0)) }
    }

    private mutating func readAccounts(_ source: borrowing SQLiteConnection) throws(QueueError) {
        let rows = try SQLiteStatement(source, "SELECT id, account, region, name, paused FROM destination")
        var known: Set<Destination> = []
        while try rows.step() {
            let destination = Destination(account: rows.text(1), region: rows.text(2), stream: rows.text(3))
            // No file has a number like that, nor two of one name: there would be no place for it in a new one.
            guard DestinationID.plausible.contains(rows.integer(0)), known.insert(destination).inserted else {
                continue
            }
            var account = Ledger.Account(id: DestinationID(rows.integer(0)), destination: destination)
            account.isPaused = rows.integer(4) != 0
            account.totals = (try? QueueTotals.read(account.id, from: source)) ?? QueueTotals()
            accounts.append(account)
        }
    }
}

extension SQLiteConnection {
    /// For reading what a damaged file gives; its WAL stays as it is.
    static func damaged(_ path: String, vfs: String?) throws(QueueError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: path, flags: SQLITE_OPEN_READWRITE, vfs: vfs)
        try connection.configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        // Without it, SQLite gives nothing of a file that is shorter than it should be.
        try connection.execute("PRAGMA writable_schema = ON")
        return connection
    }
}
