// SPDX-License-Identifier: Apache-2.0
public import AgentCore

extension OfflineQueue {
    /// What a check found of a destination.
    public struct CheckedStream: Sendable {
        public let destination: Destination
        public let events: Int
        public let deadLetters: Int
        /// What is wrong, a sentence each; empty: nothing.
        public let faults: [String]
    }

    /// What a check found.
    public struct Check: Sendable {
        public let streams: [CheckedStream]
        /// Of the file as a whole, a sentence each.
        public let faults: [String]

        public var isSound: Bool { faults.isEmpty && streams.allSatisfy(\.faults.isEmpty) }
    }

    /// Faults that are named of one kind; more are only counted.
    private static let named = 5

    /// Looks at every page and at every row: whether SQLite finds the file in order, each event is what was stored, and
    /// the totals are what is there and balance. Takes as long as the disk takes to give all of the file.
    public func check() throws(QueueError) -> Check {
        var streams: [CheckedStream] = []
        for stream in try self.streams() { streams.append(try check(stream)) }
        return Check(streams: streams, faults: try faultsOfFile())
    }

    private func faultsOfFile() throws(QueueError) -> [String] {
        let rows = try SQLiteStatement(connection, "PRAGMA integrity_check(20)")
        var faults: [String] = []
        while try rows.step() {
            let text = rows.text(0)
            if text != "ok" { faults.append("SQLite finds: \(text)") }
        }
        return faults
    }

    private func check(_ stream: Stream) throws(QueueError) -> CheckedStream {
        var faults: [String] = []
        let queued = try count(
            "SELECT id, key, hash_key, accepted_ms, crc, data FROM \(Schema.eventTable(stream.id)) ORDER BY id",
            stream.id,
            "queued events",
            &faults
        )
        let dead = try count(
            """
            SELECT id, key, hash_key, accepted_ms, crc, data FROM dead_letter WHERE destination = \(stream.id.rawValue)
            """,
            stream.id,
            "dead letters",
            &faults
        )
        let totals = stream.totals
        func compare(_ what: String, _ counted: Int64, _ there: Int64) {
            if counted != there { faults.append("The totals say \(counted) \(what), and \(there) are there.") }
        }
        compare("queued events", totals.queuedEvents, queued.rows)
        compare("bytes of queued events", totals.queuedBytes, queued.bytes)
        compare("dead letters", totals.deadEvents, dead.rows)
        compare("bytes of dead letters", totals.deadBytes, dead.bytes)
        if totals.imbalance != 0 {
            faults.append("The totals do not balance: \(totals.imbalance) accepted events are unaccounted for.")
        }
        return CheckedStream(
            destination: stream.destination,
            events: Int(queued.rows),
            deadLetters: Int(dead.rows),
            faults: faults
        )
    }

    private func count(
        _ sql: String,
        _ id: DestinationID,
        _ what: String,
        _ faults: inout [String]
    ) throws(QueueError) -> (rows: Int64, bytes: Int64) {
        let rows = try SQLiteStatement(connection, sql)
        var (count, bytes) = (Int64(0), Int64(0))
        var damaged: [Int64] = []
        var damagedCount = 0
        while try rows.step() {
            let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(5))
            let event = rows.integer(0)
            let stamp = Stamp(id: EventID(event), destination: id, acceptedMS: rows.integer(3))
            if !row.isWhole(stamp, rows, column: 4) {
                damagedCount += 1
                if damaged.count < Self.named { damaged.append(event) }
            }
            count += 1
            bytes += row.quotaBytes
        }
        if damagedCount > 0 {
            let ids = damaged.map(String.init).joined(separator: ", ")
            faults.append(
                "Of the \(what), \(damagedCount) \(damagedCount == 1 ? "is" : "are") not what was stored: "
                    + "\(ids)\(damagedCount > damaged.count ? ", …" : "")."
            )
        }
        return (count, bytes)
    }
}
