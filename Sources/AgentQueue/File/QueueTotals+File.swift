// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// The table `total`.
extension QueueTotals {
    static let columns = """
        accepted, delivered, dead_lettered, expired, evicted, lost, refused, queued_events, queued_bytes,
        dead_events, dead_bytes
        """

    /// Reads ``columns``, the first of which is column `first` of the row.
    init(_ row: borrowing SQLiteStatement, from first: Int32) {
        self.init()
        accepted = row.integer(first)
        delivered = row.integer(first + 1)
        deadLettered = row.integer(first + 2)
        expired = row.integer(first + 3)
        evicted = row.integer(first + 4)
        lost = row.integer(first + 5)
        refused = row.integer(first + 6)
        queuedEvents = row.integer(first + 7)
        queuedBytes = row.integer(first + 8)
        deadEvents = row.integer(first + 9)
        deadBytes = row.integer(first + 10)
    }

    static func read(_ id: DestinationID, from connection: borrowing SQLiteConnection) throws(QueueError)
        -> QueueTotals?
    {
        let row = try SQLiteStatement(
            connection,
            "SELECT \(columns) FROM total WHERE destination = \(id.rawValue)"
        )
        return try row.step() ? QueueTotals(row, from: 0) : nil
    }

    /// Binds all of them, from parameter `first` on.
    func bind(to statement: borrowing SQLiteStatement, from first: Int32) throws(QueueError) {
        try statement.bind(first, accepted)
        try statement.bind(first + 1, delivered)
        try statement.bind(first + 2, deadLettered)
        try statement.bind(first + 3, expired)
        try statement.bind(first + 4, evicted)
        try statement.bind(first + 5, lost)
        try statement.bind(first + 6, refused)
        try statement.bind(first + 7, queuedEvents)
        try statement.bind(first + 8, queuedBytes)
        try statement.bind(first + 9, deadEvents)
        try statement.bind(first + 10, deadBytes)
    }
}
