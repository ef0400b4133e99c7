// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc

/// The open file, as the writer has it: the connection with its prepared statements. Confined to the writer's queue.
final class WriteConnection {
    let connection: SQLiteConnection
    private let path: String
    private let database: FileIdentity
    private let log: FileIdentity
    /// Frames in the WAL after the last commit; written by SQLite's hook, within calls of this connection.
    private let frames: UnsafeMutablePointer<Int32>

    private let begin: SQLiteStatement
    private let commitStatement: SQLiteStatement
    private let updateTotal: SQLiteStatement
    private let updateAgent: SQLiteStatement
    let taken: TakenRows
    private var tables = TableCache<EventTable>(capacity: 1024)
    private var deadLetters: DeadLetterTable?
    private var receipts: ReceiptTable?
    private var isSyncing = true

    init(_ settings: QueueSettings, clock: AgentClock.Mark) throws(QueueError) {
        path = settings.path
        connection = try Self.open(settings, clock: clock)
        taken = try TakenRows(connection)
        begin = try SQLiteStatement(connection, "BEGIN IMMEDIATE")
        commitStatement = try SQLiteStatement(connection, "COMMIT")
        updateTotal = try SQLiteStatement(
            connection,
            """
            INSERT OR REPLACE INTO total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
            """
        )
        updateAgent = try SQLiteStatement(
            connection,
            """
            UPDATE agent SET next_id = ?, serial = ?, clock_ms = ?, wall_ms = ?, wall_trusted = ?, boot = ?,
                uptime_ns = ? WHERE id = 1
            """
        )
        guard let database = FileIdentity(path), let log = FileIdentity(path + "-wal") else {
            throw .system(operation: "find", path: path, errno: ENOENT)
        }
        self.database = database
        self.log = log
        frames = .allocate(capacity: 1)
        frames.initialize(to: 0)
        // The hook is called within sqlite3_step of a COMMIT: <https://sqlite.org/c3ref/wal_hook.html>.
        sqlite3_wal_hook(
            connection.handle,
            { context, _, _, count in
                context?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            },
            frames
        )
    }

    deinit {
        sqlite3_wal_hook(connection.handle, nil, nil)
        frames.deallocate()
    }

    /// How long SQLite waits for other programs at a time.
    private static let busyTimeoutMS: Int32 = 200

    private static func open(_ settings: QueueSettings, clock: AgentClock.Mark) throws(QueueError) -> SQLiteConnection {
        // SQLite makes its files with the umask's mode; WAL and index take the mode of the database.
        let isNew = FileIdentity(settings.path) == nil
        if isNew {
            let descriptor = Glibc.open(settings.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw .system(operation: "create", path: settings.path, errno: errno) }
            close(descriptor)
        }
        let connection = try SQLiteConnection(path: settings.path, flags: SQLITE_OPEN_READWRITE, vfs: settings.vfs)
        sqlite3_busy_timeout(connection.handle, 1000)
        // A WAL is never thrown away unread: after a failed commit the file is opened again to see what is in it.
        try connection.configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try connection.configure(SQLITE_DBCONFIG_DEFENSIVE, 1)
        try Schema.create(in: connection, path: settings.path, clock: clock)
        let mode = try connection.text("PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw .storage(operation: "PRAGMA journal_mode = WAL", message: "it stays \(mode)", code: SQLITE_CANTOPEN)
        }
        let limit = settings.walFrames * 4096 * 2
        // Six megabytes of pages: more were no faster, and events of 1 MiB fill whatever there is.
        try connection.execute(
            """
            PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0;
            PRAGMA temp_store = MEMORY; PRAGMA cache_size = -6000; PRAGMA journal_size_limit = \(limit);
            PRAGMA trusted_schema = OFF
            """
        )
        if settings.maxPages > 0 { try connection.execute("PRAGMA max_page_count = \(settings.maxPages)") }
        try connection.rewriteLog()
        try touch(connection, path: settings.path)
        if isNew { syncFolder(of: settings.path) }
        sqlite3_busy_timeout(connection.handle, busyTimeoutMS)
        return connection
    }

    /// Makes the WAL, or reads it after a crash, so that there is a file whose identity can be watched, and tries
    /// whether it can be written.
    private static func touch(_ connection: borrowing SQLiteConnection, path: String) throws(QueueError) {
        do throws(QueueError) {
            try connection.execute("BEGIN IMMEDIATE; UPDATE agent SET id = 1; COMMIT")
        } catch {
            // On a full disk there is nothing to try, and what is in the WAL can be delivered.
            guard case .full = error, let log = FileIdentity(path + "-wal"), log.size > 0 else { throw error }
            if connection.isInTransaction { try connection.execute("ROLLBACK") }
        }
    }

    // MARK: Transactions

    /// - Parameter synced: whether the commit must survive a power cut.
    func begin(synced: Bool) throws(QueueError) {
        if synced != isSyncing {
            try connection.execute(synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
            isSyncing = synced
        }
        try begin.run()
    }

    var isInTransaction: Bool { connection.isInTransaction }

    func commit() throws(QueueError) { try commitStatement.run() }

    /// An error may have rolled back already: <https://sqlite.org/lang_transaction.html>.
    func rollback() throws(QueueError) {
        if connection.isInTransaction { try connection.execute("ROLLBACK") }
    }

    /// Writes the totals that changed, and the agent's row, into the transaction.
    func write(_ ledger: inout Ledger, clock: AgentClock.Mark) throws(QueueError) {
        try ledger.writeTouched { (account) throws(QueueError) in
            try updateTotal.bind(1, account.id.rawValue)
            try account.totals.bind(to: updateTotal, from: 2)
            try updateTotal.run()
        }
        try updateAgent.bind(1, ledger.nextID)
        try updateAgent.bind(2, ledger.serial)
        try updateAgent.bind(3, clock.agentMS)
        try updateAgent.bind(4, clock.wallMS)
        try updateAgent.bind(5, clock.isWallTrusted ? 1 : 0)
        try updateAgent.bind(6, clock.boot)
        try updateAgent.bind(7, clock.uptimeNS)
        try updateAgent.run()
    }

    // MARK: Tables

    func table(_ id: DestinationID) -> EventTable {
        if let table = tables.known(id) { return table }
        let table = EventTable(connection, taken, id)
        tables.add(id, table)
        return table
    }

    func deadLetterTable() throws(QueueError) -> DeadLetterTable {
        if let deadLetters { return deadLetters }
        let table = try DeadLetterTable(connection)
        deadLetters = table
        return table
    }

    func receiptTable() throws(QueueError) -> ReceiptTable {
        if let receipts { return receipts }
        let table = try ReceiptTable(connection)
        receipts = table
        return table
    }

    func create(_ id: DestinationID, _ destination: Destination) throws(QueueError) {
        let insert = try SQLiteStatement(
            connection,
            "INSERT INTO destination (id, account, region, name) VALUES (?, ?, ?, ?)"
        )
        try insert.bind(1, id.rawValue)
        try insert.bind(2, destination.account)
        try insert.bind(3, destination.region)
        try insert.bind(4, destination.stream)
        try insert.run()
        try connection.execute(Schema.createEventTable(id))
    }

    func setPaused(_ isPaused: Bool, _ id: DestinationID) throws(QueueError) {
        try connection.execute("UPDATE destination SET paused = \(isPaused ? 1 : 0) WHERE id = \(id.rawValue)")
    }

    // MARK: Upkeep

    /// Whether database and WAL are still the files that were opened.
    var isInPlace: Bool {
        guard let database = FileIdentity(path), let log = FileIdentity(path + "-wal") else { return false }
        return database.isSameFile(as: self.database) && log.isSameFile(as: self.log)
    }

    var walFrames: Int { Int(frames.pointee) }

    /// Moves the WAL into the database, and lets the next commit start it anew.
    ///
    /// - Parameters:
    ///   - mode: `SQLITE_CHECKPOINT_RESTART` or `SQLITE_CHECKPOINT_TRUNCATE`.
    ///   - waits: Whether readers are waited for, up to the busy timeout.
    /// - Returns: `false` where a reader held it up.
    func checkpoint(_ mode: Int32, waits: Bool = true) throws(QueueError) -> Bool {
        if !waits { sqlite3_busy_timeout(connection.handle, 0) }
        defer { if !waits { sqlite3_busy_timeout(connection.handle, Self.busyTimeoutMS) } }
        var frames: Int32 = 0
        var moved: Int32 = 0
        errno = 0
        let result = sqlite3_wal_checkpoint_v2(connection.handle, nil, mode, &frames, &moved)
        if result & 0xff == SQLITE_BUSY || result & 0xff == SQLITE_LOCKED { return false }
        try check(result, "checkpoint", connection.handle)
        self.frames.pointee = 0
        return true
    }

    func freePages() throws(QueueError) -> Int64 { try connection.integer("PRAGMA freelist_count") }
    func pages() throws(QueueError) -> Int64 { try connection.integer("PRAGMA page_count") }

    /// Gives up to `count` free pages back, in a transaction of its own.
    func vacuum(pages count: Int) throws(QueueError) {
        try connection.execute("PRAGMA incremental_vacuum(\(count))")
    }

    /// Empties the WAL and lets SQLite remove it when this connection, the last one, goes.
    func closeCleanly() throws(QueueError) {
        _ = try checkpoint(SQLITE_CHECKPOINT_TRUNCATE)
        try connection.configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    }
}
