// SPDX-License-Identifier: Apache-2.0
public import AgentCore
import CSQLite
import Glibc

/// A copy of a queue file that no agent has open, to look into: the original is not changed, not even by SQLite's
/// recovery. Used by one thread at a time.
public final class OfflineQueue {
    public struct Stream: Sendable {
        public let id: DestinationID
        public let destination: Destination
        public let totals: QueueTotals
    }

    public struct Page: Sendable {
        public let events: [StoredEvent]
        /// Rows that are not what was stored.
        public let damaged: [EventID]
        /// Go on behind it; `nil`: there is no more.
        public let last: EventID?
    }

    let connection: SQLiteConnection
    /// The agent's own clock as it stood last, in milliseconds: what events' ages are counted from.
    public let agentNowMS: Int64

    /// - Parameters:
    ///   - path: the queue file.
    ///   - folder: where the copy goes, as large as file and WAL together. The caller removes it.
    /// - Throws: ``QueueError/locked(path:)`` while an agent runs on it.
    public init(copying path: String, in folder: String) throws(QueueError) {
        let copy = folder + "/queue.db"
        let path = try QueuePlace.resolve(path)
        try QueuePlace.checkKinds(path)
        try Ownership.check(path)
        guard FileIdentity(path) != nil else { throw .system(operation: "read", path: path, errno: ENOENT) }
        do {
            let lock = try QueueLock(queuePath: path)
            try copyFile(path, to: copy)
            if FileIdentity(path + "-wal") != nil { try copyFile(path + "-wal", to: copy + "-wal") }
            _ = consume lock
        }
        connection = try SQLiteConnection(path: copy, flags: SQLITE_OPEN_READWRITE)
        try connection.execute("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000")
        let found = try connection.integer("PRAGMA user_version")
        guard found <= Schema.version else {
            throw .newerSchema(path: path, found: found, known: Schema.version)
        }
        agentNowMS = max(0, try connection.integer("SELECT clock_ms FROM agent WHERE id = 1"))
    }

    /// All destinations that ever had an event, in the order in which they came.
    public func streams() throws(QueueError) -> [Stream] {
        let rows = try SQLiteStatement(connection, "SELECT id, account, region, name FROM destination ORDER BY id")
        var streams: [Stream] = []
        while try rows.step() {
            let id = DestinationID(rows.integer(0))
            let destination = Destination(account: rows.text(1), region: rows.text(2), stream: rows.text(3))
            let totals = try QueueTotals.read(id, from: connection) ?? QueueTotals()
            streams.append(Stream(id: id, destination: destination, totals: totals))
        }
        return streams
    }

    /// The next events of a destination, in the order of their ids: some MiB of them.
    public func events(of id: DestinationID, after: EventID) throws(QueueError) -> Page {
        let request = LoadRequest(
            destination: id,
            what: .scan(after: after, skipping: LaneSet(), only: nil),
            maxEvents: 4096,
            maxBytes: 8 << 20
        )
        var loading = Loading(request)
        let rows = try SQLiteStatement(
            connection,
            """
            SELECT id, key, hash_key, accepted_ms, crc, data FROM \(Schema.eventTable(id)) WHERE id > ? ORDER BY id
            """
        )
        try rows.bind(1, after)
        var last: EventID?
        while try rows.step(), loading.take(rows) { last = EventID(rows.integer(0)) }
        let loaded = loading.loaded(through: last ?? after)
        return Page(events: loaded.events, damaged: loaded.damaged, last: last)
    }
}

func copyFile(_ path: String, to other: String) throws(QueueError) {
    let input = open(path, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw .system(operation: "read", path: path, errno: errno) }
    defer { close(input) }
    let output = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw .system(operation: "create", path: other, errno: errno) }
    defer { close(output) }
    while true {
        let count = sendfile(output, input, nil, 1 << 20)
        if count == 0 { return }
        guard count > 0 || errno == EINTR else { throw .system(operation: "copy", path: path, errno: errno) }
    }
}
