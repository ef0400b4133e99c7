// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The queued events of one destination, as the writer changes them.
final class EventTable {
    private let insertOne: SQLiteStatement
    private let insertSome: SQLiteStatement
    private let ages: SQLiteStatement
    private let deleteTaken: SQLiteStatement
    private let deletePrefix: SQLiteStatement
    private let lastStatement: SQLiteStatement
    private let bury: SQLiteStatement
    private let id: DestinationID
    private let taken: TakenRows
    private let handle: OpaquePointer

    /// - Parameter taken: What `connection` calls `taken()`.
    init(_ connection: borrowing SQLiteConnection, _ taken: TakenRows, _ id: DestinationID) throws(QueueError) {
        self.id = id
        self.taken = taken
        handle = connection.handle
        let name = Schema.eventTable(id)
        insertOne = try SQLiteStatement(connection, "INSERT INTO \(name) VALUES (?, ?, ?, ?, ?, ?)")
        // OR FAIL, as to undo only the statement would have to be prepared for; the whole transaction is undone.
        let rows = repeatElement("(?, ?, ?, ?, ?, ?)", count: Self.rowsPerInsert).joined(separator: ", ")
        insertSome = try SQLiteStatement(connection, "INSERT OR FAIL INTO \(name) VALUES \(rows)")
        ages = try SQLiteStatement(
            connection,
            "SELECT id, accepted_ms, \(Schema.rowBytes) FROM \(name) ORDER BY id"
        )
        deleteTaken = try SQLiteStatement(
            connection,
            "DELETE FROM \(name) WHERE id BETWEEN ? AND ? AND \(TakenRows.function)(id, length(data), key, hash_key)"
        )
        deletePrefix = try SQLiteStatement(connection, "DELETE FROM \(name) WHERE id <= ?")
        lastStatement = try SQLiteStatement(connection, "SELECT id FROM \(name) ORDER BY id DESC LIMIT 1")
        bury = try SQLiteStatement(
            connection,
            """
            INSERT OR REPLACE INTO dead_letter
                (id, destination, key, hash_key, accepted_ms, dead_ms, crc, code, reason, data)
            SELECT id, \(id.rawValue), ifnull(key, x''), ifnull(hash_key, x''), ifnull(accepted_ms, 0), ?2,
                ifnull(crc, -1), ?3, ?4, ifnull(data, x'') FROM \(name) WHERE id = ?1
            """
        )
    }

    /// Rows of one statement, which costs a fifth less a row than one for each.
    private static let rowsPerInsert = 8

    /// Inserts events with ids from `first` on.
    func insert(_ events: ArraySlice<NewEvent>, first: EventID, acceptedMS: Int64) throws(QueueError) {
        var rest = events
        var id = first.rawValue
        while !rest.isEmpty {
            let count = rest.count >= Self.rowsPerInsert ? Self.rowsPerInsert : 1
            try insert(rest.prefix(count), id: id, acceptedMS: acceptedMS, row: 0, of: count)
            rest = rest.dropFirst(count)
            id += Int64(count)
        }
    }

    /// Binds row after row, each within the borrow of the bytes of those before it, and inserts them within all.
    private func insert(
        _ events: ArraySlice<NewEvent>,
        id: Int64,
        acceptedMS: Int64,
        row: Int,
        of count: Int
    ) throws(QueueError) {
        if row == count { return count == 1 ? try insertOne.run() : try insertSome.run() }
        let event = events[events.startIndex + row]
        var key = event.key.partitionKey
        var hashKey = event.key.explicitHashKey
        try key.withBytes { (key) throws(QueueError) in
            try hashKey.withBytes { (hashKey) throws(QueueError) in
                try event.data.withUnsafeBytes { (data) throws(QueueError) in
                    let bytes = Row(key: key, hashKey: hashKey, data: data)
                    if count == 1 {
                        try insertOne.bind(bytes, crc: bytes.checksum, id: EventID(id), acceptedMS: acceptedMS)
                    } else {
                        let id = EventID(id + Int64(row))
                        try insertSome.bind(bytes, crc: bytes.checksum, id: id, acceptedMS: acceptedMS, row: Int32(row))
                    }
                    try insert(events, id: id, acceptedMS: acceptedMS, row: row + 1, of: count)
                }
            }
        }
    }

    func insert(_ row: Row, id: EventID, acceptedMS: Int64) throws(QueueError) {
        try insert(row, crc: row.checksum, id: id, acceptedMS: acceptedMS)
    }

    func insert(_ row: Row, crc: UInt32, id: EventID, acceptedMS: Int64) throws(QueueError) {
        try insertOne.bind(row, crc: crc, id: id, acceptedMS: acceptedMS)
        try insertOne.run()
    }

    // MARK: Removing

    /// Deletes those of `ids`, ascending, that are there: one statement for all that are close to each other.
    func remove(_ ids: [EventID]) throws(QueueError) -> RemovedRows {
        var removed = RemovedRows()
        var start = 0
        while start < ids.count {
            var end = start + 1
            while end < ids.count, ids[end].rawValue &- ids[end &- 1].rawValue <= Self.widestGap { end += 1 }
            try deleteTaken.bind(1, ids[start])
            try deleteTaken.bind(2, ids[end - 1])
            removed.add(try taken.run(deleteTaken, ids[start..<end]))
            start = end
        }
        return removed
    }

    /// Between two ids at this distance may be as many rows that are not wanted: passing over them takes as long as
    /// another statement.
    private static let widestGap: Int64 = 16

    /// Deletes the oldest events: as few as free `bytes`, and at least one if there is one.
    func removeOldest(freeing bytes: Int64) throws(QueueError) -> RemovedRows {
        try removePrefix { _, freed in freed < bytes }
    }

    /// Deletes the events from the oldest on that were accepted at `cutoff` or before, up to `limit` of them.
    func removeOldest(acceptedThrough cutoff: Int64, limit: Int) throws(QueueError) -> RemovedRows {
        var left = limit
        return try removePrefix { acceptedMS, _ in
            guard acceptedMS <= cutoff, left > 0 else { return false }
            left -= 1
            return true
        }
    }

    private func removePrefix(while isWanted: (_ acceptedMS: Int64, _ freed: Int64) -> Bool)
        throws(QueueError) -> RemovedRows
    {
        var removed = RemovedRows()
        do {
            defer { ages.reset() }
            while try ages.step() {
                guard isWanted(ages.integer(1), removed.bytes) else { break }
                removed.add(EventID(ages.integer(0)), bytes: ages.integer(2) + QueueTotals.eventOverhead)
            }
        }
        guard removed.count > 0 else { return removed }
        try deletePrefix.bind(1, removed.through)
        try deletePrefix.run()
        return removed
    }

    /// Moves an event to the dead letters; whether it was there.
    func bury(_ letter: DeadLetter, deadMS: Int64) throws(QueueError) -> RemovedRows {
        try bury.bind(1, letter.id)
        try bury.bind(2, deadMS)
        try bury.bind(3, letter.code)
        try bury.bind(4, letter.reason)
        try bury.run()
        guard sqlite3_changes64(handle) > 0 else { return RemovedRows() }
        return try remove([letter.id])
    }

    // MARK: Ends

    func first() throws(QueueError) -> Ledger.Head? {
        defer { ages.reset() }
        guard try ages.step() else { return nil }
        return Ledger.Head(id: EventID(ages.integer(0)), acceptedMS: ages.natural(1))
    }

    func last() throws(QueueError) -> EventID {
        defer { lastStatement.reset() }
        return try lastStatement.step() ? EventID(lastStatement.integer(0)) : .zero
    }
}

extension SQLiteStatement {
    /// Binds the columns of an event table, for the row of that number.
    @inline(__always)
    fileprivate func bind(_ bytes: Row, crc: UInt32, id: EventID, acceptedMS: Int64, row: Int32 = 0)
        throws(QueueError)
    {
        let first = row * 6
        try bind(first + 1, id)
        try bind(first + 2, inPlace: bytes.key)
        try bind(first + 3, inPlace: bytes.hashKey)
        try bind(first + 4, acceptedMS)
        try bind(first + 5, Int64(crc))
        try bind(first + 6, inPlace: bytes.data)
    }
}

extension String {
    /// `withUTF8` with a typed error.
    @inline(__always)
    fileprivate mutating func withBytes(_ body: (UnsafeRawBufferPointer) throws(QueueError) -> Void)
        throws(QueueError)
    {
        let failure: QueueError? = withUTF8 { utf8 in
            do throws(QueueError) {
                try body(UnsafeRawBufferPointer(utf8))
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}

/// What of an event is stored as bytes.
struct Row {
    let key: UnsafeRawBufferPointer
    let hashKey: UnsafeRawBufferPointer
    let data: UnsafeRawBufferPointer

    var quotaBytes: Int64 { Int64(data.count + key.count + hashKey.count) + QueueTotals.eventOverhead }

    var checksum: UInt32 {
        var crc = CRC32C()
        crc.update(key)
        crc.update(hashKey)
        crc.update(data)
        return crc.value
    }
}
