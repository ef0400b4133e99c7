// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// Rows that are still to be taken from a file that was moved aside: the events of a destination, or its dead letters.
struct CarryOver: Hashable, Sendable {
    enum Rows: Int64, Sendable {
        case events
        case letters
    }

    struct Amount: Hashable, Sendable {
        var count: Int64 = 0
        /// As the quota counts them.
        var bytes: Int64 = 0
    }

    /// How far the damaged table has been read.
    ///
    /// Upwards, until a place that cannot be read; from the first row that can be read beyond it downwards, until that
    /// place again; then on upwards.
    struct Place: Hashable, Sendable {
        /// Everything up to this id has been looked at.
        var after = EventID.zero
        /// Beyond a damaged place: everything between `down` and this has been looked at too. Zero: reading upwards.
        var resume = EventID.zero
        var down = EventID.zero
    }

    let destination: DestinationID
    let rows: Rows
    /// The name of the file, which lies beside the queue.
    let source: String
    /// Ids from here on were given out, or may be given out, by the new file.
    let below: EventID
    /// What the totals say that there is.
    var expected: Amount
    var carried = Amount()
    var place = Place()

    /// What is still to come.
    var left: Amount {
        Amount(count: max(0, expected.count - carried.count), bytes: max(0, expected.bytes - carried.bytes))
    }

    /// Whose rows they are.
    struct Table: Hashable {
        let destination: DestinationID
        let rows: Rows
    }

    var table: Table { Table(destination: destination, rows: rows) }

    /// No more is to come than the totals say that there is, whatever number the file has for it.
    mutating func limit(to amount: Amount) {
        expected.count = min(expected.count, carried.count + max(0, amount.count))
        expected.bytes = min(expected.bytes, carried.bytes + max(0, amount.bytes))
    }
}

/// The table `carry_over`, which only a file has that took a damaged one's place.
extension WriteConnection {
    private static let table = """
        CREATE TABLE IF NOT EXISTS carry_over (
            destination INTEGER NOT NULL, kind INTEGER NOT NULL, source TEXT NOT NULL, below INTEGER NOT NULL,
            expected INTEGER NOT NULL, expected_bytes INTEGER NOT NULL,
            carried INTEGER NOT NULL, carried_bytes INTEGER NOT NULL,
            after INTEGER NOT NULL, resume INTEGER NOT NULL, down INTEGER NOT NULL,
            PRIMARY KEY (destination, kind, source))
        """

    func write(_ carryOver: CarryOver) throws(QueueError) {
        try connection.execute(Self.table)
        let row = try SQLiteStatement(
            connection,
            "INSERT OR REPLACE INTO carry_over VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        )
        try row.bind(1, carryOver.destination.rawValue)
        try row.bind(2, carryOver.rows.rawValue)
        try row.bind(3, carryOver.source)
        try row.bind(4, carryOver.below)
        try row.bind(5, carryOver.expected.count)
        try row.bind(6, carryOver.expected.bytes)
        try row.bind(7, carryOver.carried.count)
        try row.bind(8, carryOver.carried.bytes)
        try row.bind(9, carryOver.place.after)
        try row.bind(10, carryOver.place.resume)
        try row.bind(11, carryOver.place.down)
        try row.run()
    }

    func remove(_ carryOver: CarryOver) throws(QueueError) {
        let row = try SQLiteStatement(
            connection,
            "DELETE FROM carry_over WHERE destination = ?1 AND kind = ?2 AND source = ?3"
        )
        try row.bind(1, carryOver.destination.rawValue)
        try row.bind(2, carryOver.rows.rawValue)
        try row.bind(3, carryOver.source)
        try row.run()
    }

    /// A statement that takes a row over, unless it is there already: columns as ``CarrySource/columns``.
    func insertion(of carryOver: CarryOver) throws(QueueError) -> SQLiteStatement {
        switch carryOver.rows {
        case .events:
            try SQLiteStatement(
                connection,
                "INSERT OR IGNORE INTO \(Schema.eventTable(carryOver.destination)) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            )
        case .letters:
            try SQLiteStatement(
                connection,
                """
                INSERT OR IGNORE INTO dead_letter
                    (id, destination, key, hash_key, accepted_ms, dead_ms, crc, code, reason, data)
                VALUES (?1, \(carryOver.destination.rawValue), ?2, ?3, ?4, ?7, ?5, ?8, ?9, ?6)
                """
            )
        }
    }

    var lastChangeCount: Int { connection.changes }
}

extension SQLiteConnection {
    /// In the order in which they are to be done: events first, and of these the short queues.
    ///
    /// - Parameter isDamaged: Whether entries that make no sense are left out; else there must be none.
    func carryOvers(isDamaged: Bool = false) throws(QueueError) -> [CarryOver] {
        guard try integer("SELECT count(*) FROM sqlite_schema WHERE name = 'carry_over'") > 0 else { return [] }
        let rows = try SQLiteStatement(self, "SELECT * FROM carry_over ORDER BY kind, expected, destination, source")
        var result: [CarryOver] = []
        while try rows.step() {
            guard let kind = CarryOver.Rows(rawValue: rows.integer(1)) else {
                if isDamaged { continue }
                let message = "an entry of carry_over is of no kind"
                throw .damaged(operation: "check the numbers", message: message, code: SQLITE_CORRUPT)
            }
            func amount(_ column: Int32) -> CarryOver.Amount {
                CarryOver.Amount(count: rows.count(column), bytes: rows.count(column + 1))
            }
            result.append(
                CarryOver(
                    destination: DestinationID(rows.integer(0)),
                    rows: kind,
                    // A name beside the queue; any other leads nowhere.
                    source: rows.text(2).contains("/") ? "" : rows.text(2),
                    below: EventID(max(1, rows.natural(3))),
                    expected: amount(4),
                    carried: amount(6),
                    place: CarryOver.Place(
                        after: EventID(rows.natural(8)),
                        resume: EventID(rows.natural(9)),
                        down: EventID(rows.natural(10))
                    )
                )
            )
        }
        return result
    }
}

extension CarryOver.Amount {
    mutating func add(_ other: Self) { self = self + other }
    static func + (a: Self, b: Self) -> Self { Self(count: a.count + b.count, bytes: a.bytes + b.bytes) }
    static func - (a: Self, b: Self) -> Self { Self(count: a.count - b.count, bytes: a.bytes - b.bytes) }
}

extension QueueTotals {
    func amount(of rows: CarryOver.Rows) -> CarryOver.Amount {
        switch rows {
        case .events: CarryOver.Amount(count: queuedEvents, bytes: queuedBytes)
        case .letters: CarryOver.Amount(count: deadEvents, bytes: deadBytes)
        }
    }

    /// Forgets what a file of this size cannot hold. The quota would believe it.
    mutating func dropImplausible(fileBytes: Int64) {
        if queuedEvents > fileBytes { queuedEvents = 0 }
        if queuedBytes - queuedEvents * Self.eventOverhead > fileBytes { queuedBytes = 0 }
        if deadEvents > fileBytes { deadEvents = 0 }
        if deadBytes - deadEvents * Self.eventOverhead > fileBytes { deadBytes = 0 }
    }

    /// Nothing more comes of it: what it should have held and did not give is lost.
    mutating func settle(_ done: CarryOver) {
        let missing = done.expected - done.carried
        switch done.rows {
        case .events:
            queuedEvents -= missing.count
            queuedBytes -= missing.bytes
        case .letters:
            deadEvents -= missing.count
            deadBytes -= missing.bytes
            deadLettered -= missing.count
        }
        // A count that rotted says less than the rows do.
        let unknown = max(0, deadEvents - deadLettered)
        deadLettered += unknown
        accepted += unknown
        // Of a file that lost its totals come more rows than it should have: they were accepted once.
        if missing.count > 0 { lost += missing.count } else { accepted -= missing.count }
    }
}
