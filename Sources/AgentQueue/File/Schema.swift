// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The layout of the file, version 3. Version 2 had receipts of another form, and none in them; version 1 is as 2, but for
/// what the checksums of new rows cover (Row.swift).
enum Schema {
    /// "Agnt", in the header of the file, where file(1) and SQLite look for it.
    static let applicationID: Int64 = 0x4167_6e74
    static let version: Int64 = 3

    /// Text is stored as bytes (BLOB) wherever its length counts for the quota, so that `length()` is in bytes and is
    /// answered from the row's header, without reading the value.
    static let tables = """
        CREATE TABLE destination (
            id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            paused INTEGER NOT NULL DEFAULT 0, UNIQUE (account, region, name));
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, key BLOB NOT NULL, hash_key BLOB NOT NULL,
            accepted_ms INTEGER NOT NULL, dead_ms INTEGER NOT NULL, crc INTEGER NOT NULL,
            code TEXT NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL);
        CREATE TABLE total (
            destination INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, delivered INTEGER NOT NULL,
            dead_lettered INTEGER NOT NULL, expired INTEGER NOT NULL, evicted INTEGER NOT NULL, lost INTEGER NOT NULL,
            refused INTEGER NOT NULL, queued_events INTEGER NOT NULL, queued_bytes INTEGER NOT NULL,
            dead_events INTEGER NOT NULL, dead_bytes INTEGER NOT NULL);
        \(receiptTable);
        CREATE TABLE agent (
            id INTEGER PRIMARY KEY CHECK (id = 1), next_id INTEGER NOT NULL, serial INTEGER NOT NULL,
            clock_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, wall_trusted INTEGER NOT NULL,
            boot TEXT NOT NULL, uptime_ns INTEGER NOT NULL);
        """

    private static let receiptTable = """
        CREATE TABLE receipt (
            id INTEGER PRIMARY KEY, name_high INTEGER NOT NULL, name_low INTEGER NOT NULL,
            content_high INTEGER NOT NULL, content_low INTEGER NOT NULL, first INTEGER NOT NULL,
            events INTEGER NOT NULL, at_ms INTEGER NOT NULL)
        """

    static func eventTable(_ id: DestinationID) -> String { "event_\(id.rawValue)" }

    static func createEventTable(_ id: DestinationID) -> String {
        """
        CREATE TABLE \(eventTable(id)) (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL, hash_key BLOB NOT NULL, accepted_ms INTEGER NOT NULL,
            crc INTEGER NOT NULL, data BLOB NOT NULL)
        """
    }

    /// Data and keys of a row, in bytes.
    static let rowBytes = "length(data) + length(key) + length(hash_key)"

    /// Lays out an empty database; does nothing to one that has the layout.
    ///
    /// Auto-vacuum is fixed when the first table is made, and setting it after the switch to WAL silently does
    /// nothing: <https://sqlite.org/pragma.html#pragma_auto_vacuum>. The layout is one transaction of the rollback
    /// journal, so a crash in it leaves an empty file or a whole one.
    static func create(in connection: borrowing SQLiteConnection, path: String, clock: AgentClock.Mark)
        throws(QueueError)
    {
        let tables = try connection.integer("SELECT count(*) FROM sqlite_schema")
        let application = try connection.integer("PRAGMA application_id")
        if tables > 0 || application != 0 {
            guard application == applicationID else {
                // That it is ours has been told before; so this is what rotted.
                let message = "its application id is \(application)"
                throw .damaged(operation: "open \(path)", message: message, code: SQLITE_NOTADB)
            }
            let found = try connection.integer("PRAGMA user_version")
            guard found <= version else { throw .newerSchema(path: path, found: found, known: version) }
            if found < version { try bringUp(connection) }
            return
        }
        try connection.execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL")
        try connection.execute("BEGIN EXCLUSIVE; \(self.tables)")
        try connection.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
        let agent = try SQLiteStatement(
            connection,
            "INSERT INTO agent VALUES (1, 1, 0, \(clock.agentMS), \(clock.wallMS), \(clock.isWallTrusted ? 1 : 0), ?, ?)"
        )
        try agent.bind(1, clock.boot)
        try agent.bind(2, clock.uptimeNS)
        try agent.run()
        try connection.execute("COMMIT")
    }

    /// From an earlier version; so that no older agent takes the new rows for damaged ones.
    private static func bringUp(_ connection: borrowing SQLiteConnection) throws(QueueError) {
        try connection.execute(
            """
            BEGIN IMMEDIATE; DROP TABLE IF EXISTS receipt; \(receiptTable); PRAGMA user_version = \(version); COMMIT
            """
        )
    }
}

extension SQLiteConnection {
    /// The names of the tables of events.
    func eventTables() throws(QueueError) -> Set<String> {
        let rows = try SQLiteStatement(
            self,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'event_[0-9]*'"
        )
        var names: Set<String> = []
        while try rows.step() { names.insert(rows.text(0)) }
        return names
    }
}
