// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The open file, as the reader has it. Confined to the reader's queue.
///
/// Each call is one short read transaction: the writer cannot start the WAL anew while a snapshot lasts.
final class ReadConnection {
    /// Rows that one load looks at, at most, so that lanes to be skipped cannot make it long.
    static let rowsPerLoad = 4096

    /// Dead letters that are listed at once, in bytes.
    static let bytesPerPage: Int64 = 8 << 20

    private let connection: SQLiteConnection
    private let begin: SQLiteStatement
    private let end: SQLiteStatement
    private let nextID: SQLiteStatement
    private let isKnown: SQLiteStatement
    private var tables = TableCache<Table>(capacity: 1024)

    private final class Table {
        let rows: SQLiteStatement

        init(_ connection: borrowing SQLiteConnection, _ id: DestinationID) throws(QueueError) {
            rows = try SQLiteStatement(
                connection,
                """
                SELECT id, key, hash_key, accepted_ms, crc, data FROM \(Schema.eventTable(id))
                WHERE id >= ? ORDER BY id
                """
            )
        }
    }

    init(_ settings: QueueSettings) throws(QueueError) {
        connection = try SQLiteConnection(path: settings.path, flags: SQLITE_OPEN_READONLY, vfs: settings.vfs)
        sqlite3_busy_timeout(connection.handle, 1000)
        try connection.configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try connection.execute("PRAGMA cache_size = -1000; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")
        begin = try SQLiteStatement(connection, "BEGIN")
        end = try SQLiteStatement(connection, "COMMIT")
        nextID = try SQLiteStatement(connection, "SELECT next_id FROM agent WHERE id = 1")
        isKnown = try SQLiteStatement(connection, "SELECT 1 FROM destination WHERE id = ?")
    }

    private func inSnapshot<R>(_ body: () throws(QueueError) -> R) throws(QueueError) -> R {
        try begin.run()
        do throws(QueueError) {
            let result = try body()
            try end.run()
            return result
        } catch {
            if connection.isInTransaction { try connection.execute("ROLLBACK") }
            throw error
        }
    }

    /// `nil` while the destination has no table.
    private func table(_ id: DestinationID) throws(QueueError) -> Table? {
        if let table = tables.known(id) { return table }
        try isKnown.bind(1, id.rawValue)
        defer { isKnown.reset() }
        guard try isKnown.step() else { return nil }
        let table = try Table(connection, id)
        tables.add(id, table)
        return table
    }

    private func lastID() throws(QueueError) -> EventID {
        defer { nextID.reset() }
        _ = try nextID.step()
        return EventID(nextID.natural(0) - 1)
    }

    // MARK: Events

    func load(_ request: LoadRequest) throws(QueueError) -> LoadedEvents {
        try inSnapshot { () throws(QueueError) in
            var result = Loading(request)
            guard let table = try table(request.destination) else {
                return result.loaded(through: result.isScan ? try lastID() : .zero)
            }
            switch request.what {
            case .scan(let after, let skipping, let only):
                let filter = LaneFilter(skipping: skipping, only: only)
                let through = try scan(table, after: after, filter, &result)
                if let through { return result.loaded(through: through) }
                return result.loaded(through: try lastID())
            case .events(let ids):
                try fetch(ids, table, &result)
                return result.loaded(through: .zero)
            }
        }
    }

    /// The last id that was looked at; `nil` when the end was reached.
    private func scan(_ table: Table, after: EventID, _ filter: LaneFilter, _ result: inout Loading)
        throws(QueueError) -> EventID?
    {
        try table.rows.bind(1, after.successor)
        defer { table.rows.reset() }
        var through = after
        var looked = 0
        while try table.rows.step() {
            if filter.takes(key: table.rows.bytes(1), hashKey: table.rows.bytes(2)) {
                guard result.take(table.rows) else { return through }
            }
            through = EventID(table.rows.integer(0))
            looked += 1
            if looked == Self.rowsPerLoad { return through }
        }
        return nil
    }

    private func fetch(_ ids: [EventID], _ table: Table, _ result: inout Loading) throws(QueueError) {
        for id in ids {
            try table.rows.bind(1, id)
            defer { table.rows.reset() }
            guard try table.rows.step(), table.rows.integer(0) == id.rawValue else { continue }
            guard result.take(table.rows) else { return }
        }
    }

    // MARK: Dead letters

    func deadLetters(_ destination: DestinationID?, after: EventID, limit: Int) throws(QueueError) -> [StoredDeadLetter]
    {
        let statement = try SQLiteStatement(
            connection,
            """
            SELECT id, destination, key, hash_key, accepted_ms, data, dead_ms, code, reason FROM dead_letter
            WHERE id > ?1 AND (?2 = 0 OR destination = ?2) ORDER BY id LIMIT ?3
            """
        )
        try statement.bind(1, after)
        try statement.bind(2, destination?.rawValue ?? 0)
        try statement.bind(3, Int64(max(0, limit)))
        var letters: [StoredDeadLetter] = []
        var bytes: Int64 = 0
        while bytes < Self.bytesPerPage, try statement.step() {
            let row = Row(key: statement.bytes(2), hashKey: statement.bytes(3), data: statement.bytes(5))
            bytes += row.quotaBytes
            letters.append(
                StoredDeadLetter(
                    destination: DestinationID(statement.integer(1)),
                    event: StoredEvent(row, id: EventID(statement.integer(0)), acceptedMS: statement.natural(4)),
                    deadMS: statement.natural(6),
                    code: statement.text(7),
                    reason: statement.text(8)
                )
            )
        }
        return letters
    }
    func deadLetterIDs(of destination: DestinationID) throws(QueueError) -> [EventID] {
        let statement = try SQLiteStatement(
            connection,
            "SELECT id FROM dead_letter WHERE destination = \(destination.rawValue) ORDER BY id"
        )
        var ids: [EventID] = []
        while try statement.step() { ids.append(EventID(statement.integer(0))) }
        return ids
    }

    func count(_ letters: DeadLetterSelection) throws(QueueError) -> Requeued {
        let sums = "SELECT count(*), ifnull(sum(length(data)), 0) FROM dead_letter WHERE"
        switch letters {
        case .all(let destination):
            let row = try SQLiteStatement(connection, "\(sums) destination = \(destination.rawValue)")
            _ = try row.step()
            return Requeued(events: Int(row.integer(0)), bytes: row.integer(1))
        case .these(let ids):
            let row = try SQLiteStatement(connection, "\(sums) id = ?")
            var found = Requeued()
            for id in Set(ids) {
                try row.bind(1, id)
                defer { row.reset() }
                _ = try row.step()
                found.events += Int(row.integer(0))
                found.bytes += row.integer(1)
            }
            return found
        }
    }
}
