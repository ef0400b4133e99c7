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
        // What no queue can have counted is no count: it is found out by the others. Those of all destinations together
        // have to fit into an integer.
        func count(_ column: Int32) -> Int64 {
            let value = row.integer(column)
            return (0...1 << 48).contains(value) ? value : 0
        }
        accepted = count(first)
        delivered = count(first + 1)
        deadLettered = count(first + 2)
        expired = count(first + 3)
        evicted = count(first + 4)
        lost = count(first + 5)
        refused = count(first + 6)
        queuedEvents = count(first + 7)
        queuedBytes = count(first + 8)
        deadEvents = count(first + 9)
        deadBytes = count(first + 10)
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
