// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The queued events of one destination, as the writer changes them.
///
/// Statements are prepared when they are first used: of most tables only two or three are, and each takes some KiB.
final class EventTable {
    private enum Kind: Int, CaseIterable {
        case insertOne, insertSome, ages, deleteTaken, deletePrefix, last, bury, contains

        func sql(_ id: DestinationID) -> String {
            let name = Schema.eventTable(id)
            switch self {
            case .insertOne:
                return "INSERT INTO \(name) VALUES (?, ?, ?, ?, ?, ?)"
            case .insertSome:
                // OR FAIL, as to undo only the statement would have to be prepared for; the whole transaction is undone.
                let rows = repeatElement("(?, ?, ?, ?, ?, ?)", count: rowsPerInsert).joined(separator: ", ")
                return "INSERT OR FAIL INTO \(name) VALUES \(rows)"
            case .ages:
                return "SELECT id, accepted_ms, \(Schema.rowBytes) FROM \(name) ORDER BY id"
            case .deleteTaken:
                return """
                    DELETE FROM \(name)
                    WHERE id BETWEEN ? AND ? AND \(TakenRows.function)(id, length(data), key, hash_key)
                    """
            case .deletePrefix:
                return "DELETE FROM \(name) WHERE id <= ?"
            case .last:
                return "SELECT id FROM \(name) ORDER BY id DESC LIMIT 1"
            case .contains:
                return "SELECT 1 FROM \(name) WHERE id = ?"
            case .bury:
                return """
                    INSERT OR REPLACE INTO dead_letter
                        (id, destination, key, hash_key, accepted_ms, dead_ms, crc, code, reason, data)
                    SELECT id, \(id.rawValue), ifnull(key, x''), ifnull(hash_key, x''), ifnull(accepted_ms, 0), ?2,
                        ifnull(crc, -1), ?3, ?4, ifnull(data, x'') FROM \(name) WHERE id = ?1
                    """
            }
        }
    }

    private final class Prepared {
        let statement: SQLiteStatement
        init(_ statement: consuming SQLiteStatement) { self.statement = statement }
    }

    private var prepared = [Prepared?](repeating: nil, count: Kind.allCases.count)
    private let id: DestinationID
    private let taken: TakenRows
    private let handle: OpaquePointer

    /// - Parameters:
    ///   - connection: outlives it.
    ///   - taken: What `connection` calls `taken()`.
    init(_ connection: borrowing SQLiteConnection, _ taken: TakenRows, _ id: DestinationID) {
        self.id = id
        self.taken = taken
        handle = connection.handle
    }

    @inline(__always)
    private func prepared(_ kind: Kind) throws(QueueError) -> Prepared {
        if let known = prepared[kind.rawValue] { return known }
        return try prepare(kind)
    }

    @inline(never)
    private func prepare(_ kind: Kind) throws(QueueError) -> Prepared {
        let new = Prepared(try SQLiteStatement(handle, kind.sql(id)))
        prepared[kind.rawValue] = new
        return new
    }

    /// Inserts events with ids from `first` on.
    func insert(_ events: ArraySlice<NewEvent>, first: EventID, acceptedMS: Int64) throws(QueueError) {
        var rest = events
        var id = first.rawValue
        while !rest.isEmpty {
            let count = rest.count >= rowsPerInsert ? rowsPerInsert : 1
            let statement = try prepared(count == 1 ? .insertOne : .insertSome)
            try insert(rest.prefix(count), by: statement, id: id, acceptedMS: acceptedMS, row: 0, of: count)
            rest = rest.dropFirst(count)
            id += Int64(count)
        }
    }

    /// Binds row after row, each within the borrow of the bytes of those before it, and inserts them within all.
    private func insert(
        _ events: ArraySlice<NewEvent>,
        by prepared: Prepared,
        id: Int64,
        acceptedMS: Int64,
        row: Int,
        of count: Int
    ) throws(QueueError) {
        if row == count { return try prepared.statement.run() }
        let event = events[events.startIndex + row]
        var key = event.key.partitionKey
        var hashKey = event.key.explicitHashKey
        try key.withBytes { (key) throws(QueueError) in
            try hashKey.withBytes { (hashKey) throws(QueueError) in
                try event.data.withUnsafeBytes { (data) throws(QueueError) in
                    let bytes = Row(key: key, hashKey: hashKey, data: data)
                    let stamp = Stamp(id: EventID(id + Int64(row)), destination: self.id, acceptedMS: acceptedMS)
                    let crc = bytes.checksum(with: stamp)
                    try prepared.statement.bind(bytes, crc: crc, stamp, row: Int32(row))
                    try insert(events, by: prepared, id: id, acceptedMS: acceptedMS, row: row + 1, of: count)
                }
            }
        }
    }

    /// - Parameter isWhole: Whether it is what was once stored: what is not is found when it is read again.
    func insert(_ row: Row, isWhole: Bool, id: EventID, acceptedMS: Int64) throws(QueueError) {
        let stamp = Stamp(id: id, destination: self.id, acceptedMS: acceptedMS)
        let insert = try prepared(.insertOne)
        try insert.statement.bind(row, crc: isWhole ? row.checksum(with: stamp) : Row.noChecksum, stamp)
        try insert.statement.run()
    }

    func contains(_ id: EventID) throws(QueueError) -> Bool {
        let contains = try prepared(.contains)
        try contains.statement.bind(1, id)
        defer { contains.statement.reset() }
        return try contains.statement.step()
    }

    // MARK: Removing

    /// Deletes those of `ids`, ascending, that are there: one statement for all that are close to each other.
    func remove(_ ids: [EventID]) throws(QueueError) -> RemovedRows {
        var removed = RemovedRows()
        guard !ids.isEmpty else { return removed }
        let delete = try prepared(.deleteTaken)
        var start = 0
        while start < ids.count {
            var end = start + 1
            while end < ids.count, ids[end].rawValue &- ids[end &- 1].rawValue <= Self.widestGap { end += 1 }
            try delete.statement.bind(1, ids[start])
            try delete.statement.bind(2, ids[end - 1])
            removed.add(try taken.run(delete.statement, ids[start..<end]))
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
        let ages = try prepared(.ages)
        do {
            defer { ages.statement.reset() }
            while try ages.statement.step() {
                guard isWanted(ages.statement.integer(1), removed.bytes) else { break }
                let bytes = ages.statement.integer(2) + QueueTotals.eventOverhead
                removed.add(EventID(ages.statement.integer(0)), bytes: bytes)
            }
        }
        guard removed.count > 0 else { return removed }
        let delete = try prepared(.deletePrefix)
        try delete.statement.bind(1, removed.through)
        try delete.statement.run()
        return removed
    }

    /// Moves an event to the dead letters; whether it was there.
    func bury(_ letter: DeadLetter, deadMS: Int64) throws(QueueError) -> RemovedRows {
        let bury = try prepared(.bury)
        try bury.statement.bind(1, letter.id)
        try bury.statement.bind(2, deadMS)
        try bury.statement.bind(3, letter.code)
        try bury.statement.bind(4, letter.reason)
        try bury.statement.run()
        guard sqlite3_changes64(handle) > 0 else { return RemovedRows() }
        return try remove([letter.id])
    }

    // MARK: Ends

    func first() throws(QueueError) -> Ledger.Head? {
        let ages = try prepared(.ages)
        defer { ages.statement.reset() }
        guard try ages.statement.step() else { return nil }
        return Ledger.Head(id: EventID(ages.statement.integer(0)), acceptedMS: ages.statement.natural(1))
    }

    func last() throws(QueueError) -> EventID {
        let last = try prepared(.last)
        defer { last.statement.reset() }
        return try last.statement.step() ? EventID(last.statement.integer(0)) : .zero
    }
}

/// Rows of one statement, which costs a fifth less a row than one for each.
private let rowsPerInsert = 8

extension SQLiteStatement {
    /// Binds the columns of an event table, for the row of that number.
    @inline(__always)
    fileprivate func bind(_ bytes: Row, crc: Int64, _ stamp: Stamp, row: Int32 = 0) throws(QueueError) {
        let first = row * 6
        try bind(first + 1, stamp.id)
        try bind(first + 2, inPlace: bytes.key)
        try bind(first + 3, inPlace: bytes.hashKey)
        try bind(first + 4, stamp.acceptedMS)
        try bind(first + 5, crc)
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
