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
    private let findCause: SQLiteStatement
    private let delete: SQLiteStatement

    init(_ connection: borrowing SQLiteConnection) throws(QueueError) {
        oldestStatement = try SQLiteStatement(
            connection,
            "SELECT id, destination, \(Schema.rowBytes) FROM dead_letter ORDER BY id LIMIT 1"
        )
        find = try SQLiteStatement(
            connection,
            "SELECT destination, key, hash_key, accepted_ms, crc, data FROM dead_letter WHERE id = ?"
        )
        findCause = try SQLiteStatement(connection, "SELECT code, reason FROM dead_letter WHERE id = ?")
        delete = try SQLiteStatement(connection, "DELETE FROM dead_letter WHERE id = ?")
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
        _ body: (_ destination: DestinationID, _ row: Row, _ isWhole: Bool) throws(QueueError) -> R
    ) throws(QueueError) -> R? {
        try find.bind(1, id)
        defer { find.reset() }
        guard try find.step() else { return nil }
        let row = Row(key: find.bytes(1), hashKey: find.bytes(2), data: find.bytes(5))
        let destination = DestinationID(find.integer(0))
        let stamp = Stamp(id: id, destination: destination, acceptedMS: find.integer(3))
        return try body(destination, row, row.isWhole(stamp, find, column: 4))
    }

    /// Why an event was given up; `nil`: it is not here.
    func cause(_ id: EventID) throws(QueueError) -> (code: String, reason: String)? {
        try findCause.bind(1, id)
        defer { findCause.reset() }
        guard try findCause.step() else { return nil }
        return (findCause.text(0), findCause.text(1))
    }

    func remove(_ id: EventID) throws(QueueError) {
        try delete.bind(1, id)
        try delete.run()
    }
}
