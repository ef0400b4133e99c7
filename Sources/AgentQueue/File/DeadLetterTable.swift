// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// The events that were given up, as the writer changes them.
final class DeadLetterTable {
    struct Size {
        let id: EventID
        let destination: DestinationID
        /// As the quota counts it.
        let bytes: Int64
    }

    private let oldestStatement: SQLiteStatement
    private let find: SQLiteStatement
    private let delete: SQLiteStatement
    private let insertStatement: SQLiteStatement

    init(_ connection: borrowing SQLiteConnection) throws(QueueError) {
        oldestStatement = try SQLiteStatement(
            connection,
            "SELECT id, destination, \(Schema.rowBytes) FROM dead_letter ORDER BY id LIMIT 1"
        )
        find = try SQLiteStatement(
            connection,
            "SELECT destination, key, hash_key, crc, data FROM dead_letter WHERE id = ?"
        )
        delete = try SQLiteStatement(connection, "DELETE FROM dead_letter WHERE id = ?")
        insertStatement = try SQLiteStatement(
            connection,
            """
            INSERT INTO dead_letter
                (id, destination, key, hash_key, accepted_ms, dead_ms, crc, code, reason, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """
        )
    }

    func oldest() throws(QueueError) -> Size? {
        defer { oldestStatement.reset() }
        guard try oldestStatement.step() else { return nil }
        return Size(
            id: EventID(oldestStatement.integer(0)),
            destination: DestinationID(oldestStatement.integer(1)),
            bytes: oldestStatement.integer(2) + QueueTotals.eventOverhead
        )
    }

    /// Calls `body` with the letter's row, whose bytes are valid within the call; `nil` where there is none.
    func with<R>(
        _ id: EventID,
        _ body: (_ destination: DestinationID, _ row: Row, _ crc: UInt32) throws(QueueError) -> R
    ) throws(QueueError) -> R? {
        try find.bind(1, id)
        defer { find.reset() }
        guard try find.step() else { return nil }
        let row = Row(key: find.bytes(1), hashKey: find.bytes(2), data: find.bytes(4))
        return try body(DestinationID(find.integer(0)), row, UInt32(truncatingIfNeeded: find.integer(3)))
    }

    func insert(_ letter: DeadLetter, _ row: Row, acceptedMS: Int64, deadMS: Int64) throws(QueueError) {
        try insertStatement.bind(1, letter.id)
        try insertStatement.bind(2, letter.destination.rawValue)
        try insertStatement.bind(3, inPlace: row.key)
        try insertStatement.bind(4, inPlace: row.hashKey)
        try insertStatement.bind(5, acceptedMS)
        try insertStatement.bind(6, deadMS)
        try insertStatement.bind(7, Int64(row.checksum))
        try insertStatement.bind(8, letter.code)
        try insertStatement.bind(9, letter.reason)
        try insertStatement.bind(10, inPlace: row.data)
        try insertStatement.run()
    }

    func remove(_ id: EventID) throws(QueueError) {
        try delete.bind(1, id)
        try delete.run()
    }
}
