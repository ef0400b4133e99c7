// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The requests with a key that were kept, newest last, as the writer has them.
///
/// Names are random, so an index of them in the file would touch a page of its own for each request. The rows are in the
/// order in which they came instead, and where a name's row is stands in memory. That is only a hint, which a
/// transaction that is taken back may leave behind: the row itself says what it is of.
final class ReceiptTable {
    struct Receipt {
        let content: SIMD2<UInt64>
        /// Its events have the ids from here on.
        let first: EventID
        let count: Int
    }

    /// Rows that are kept at least, and some 4 MiB of memory.
    static let most: Int64 = 65_536
    /// Rows that are deleted at a time.
    private static let slice: Int64 = 1024

    private let findStatement: SQLiteStatement
    private let insertStatement: SQLiteStatement
    private let deleteStatement: SQLiteStatement
    private var rows: [UInt64: Int64] = [:]
    private var oldest: Int64 = 0
    private var newest: Int64 = 0

    init(_ connection: borrowing SQLiteConnection) throws(QueueError) {
        findStatement = try SQLiteStatement(
            connection,
            "SELECT name_high, name_low, content_high, content_low, first, events FROM receipt WHERE id = ? AND at_ms > ?"
        )
        insertStatement = try SQLiteStatement(
            connection,
            "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        deleteStatement = try SQLiteStatement(connection, "DELETE FROM receipt WHERE id <= ?")
        let all = try SQLiteStatement(connection, "SELECT id, name_high FROM receipt ORDER BY id")
        while try all.step() {
            newest = all.natural(0)
            if rows.isEmpty { oldest = newest }
            rows[UInt64(bitPattern: all.integer(1))] = newest
        }
    }

    /// - Parameter after: what is as old as this or older, in milliseconds of the agent's clock, does not count.
    func find(_ name: SIMD2<UInt64>, after: Int64) throws(QueueError) -> Receipt? {
        guard let row = rows[name.x] else { return nil }
        try findStatement.bind(1, row)
        try findStatement.bind(2, after)
        defer { findStatement.reset() }
        guard try findStatement.step() else { return nil }
        let found = SIMD2(UInt64(bitPattern: findStatement.integer(0)), UInt64(bitPattern: findStatement.integer(1)))
        guard found == name else { return nil }
        return Receipt(
            content: SIMD2(UInt64(bitPattern: findStatement.integer(2)), UInt64(bitPattern: findStatement.integer(3))),
            first: EventID(findStatement.natural(4)),
            count: Int(findStatement.count(5))
        )
    }

    /// Its events are stored in the same transaction.
    func insert(_ identity: RequestIdentity, first: EventID, count: Int, atMS: Int64) throws(QueueError) {
        newest += 1
        try insertStatement.bind(1, newest)
        try insertStatement.bind(2, Int64(bitPattern: identity.name.x))
        try insertStatement.bind(3, Int64(bitPattern: identity.name.y))
        try insertStatement.bind(4, Int64(bitPattern: identity.content.x))
        try insertStatement.bind(5, Int64(bitPattern: identity.content.y))
        try insertStatement.bind(6, first)
        try insertStatement.bind(7, Int64(count))
        try insertStatement.bind(8, atMS)
        try insertStatement.run()
        rows[identity.name.x] = newest
        if newest - oldest >= Self.most + Self.slice { try forgetOldest() }
    }

    private func forgetOldest() throws(QueueError) {
        let last = newest - Self.most
        try deleteStatement.bind(1, last)
        try deleteStatement.run()
        rows = rows.filter { $0.value > last }
        oldest = last + 1
    }
}
