// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Tells the agent's files from those of others, without changing either.
///
/// A queue says so itself, in its header. One that was torn does not; that it is the agent's is told by the lock beside
/// it, which says whose it is. An older agent's lock is empty: it counts where a reserve or a WAL lies there too.
enum Ownership {
    /// - Throws: ``QueueError/foreign(path:found:)`` where a file lies there that is not the agent's.
    static func check(_ path: String) throws(QueueError) {
        let size = FileIdentity(path)?.size ?? 0
        let logSize = FileIdentity(path + "-wal")?.size ?? 0
        guard size > 0 || logSize > 0 else { return }
        let head = readHead(of: path, count: 100) ?? []
        if isQueue(head) { return }
        let isDatabase = head.starts(with: magic)
        guard isMarked(path) else {
            throw .foreign(path: path, found: size == 0 ? "gone, and a WAL lies beside it" : kind(head))
        }
        // The lock may have stayed where somebody put another database.
        if isDatabase, head.count == 100, let isOther = hasOtherTables(path), isOther {
            throw .foreign(path: path, found: kind(head))
        }
    }

    private static let magic = Array("SQLite format 3\0".utf8)

    /// Format: <https://sqlite.org/fileformat2.html#application_id>.
    private static func applicationID(_ head: [UInt8]) -> Int64 {
        guard head.count == 100 else { return 0 }
        return head[68..<72].reduce(0) { $0 << 8 | Int64($1) }
    }

    private static func isQueue(_ head: [UInt8]) -> Bool {
        head.starts(with: magic) && applicationID(head) == Schema.applicationID
    }

    private static func isMarked(_ path: String) -> Bool {
        guard let lock = FileIdentity(path + ".lock") else { return false }
        if lock.size == 0 {
            return FileIdentity(path + ".reserve") != nil || FileIdentity(path + "-wal") != nil
        }
        return readHead(of: path + ".lock", count: 100).map { $0.starts(with: QueueLock.mark.utf8) } ?? false
    }

    private static func kind(_ head: [UInt8]) -> String {
        if head.starts(with: magic) {
            let id = applicationID(head)
            return id == 0
                ? "a database of another application"
                : "a database of another application (application_id 0x\(String(id, radix: 16)))"
        }
        let isText = head.allSatisfy { $0 >= 0x20 && $0 != 0x7f || (0x09...0x0d).contains($0) }
        return isText ? "a text file" : "a file of another kind"
    }

    /// Whether it is whole and has tables, and none of them are a queue's; `nil` where that cannot be told.
    private static func hasOtherTables(_ path: String) -> Bool? {
        // Read as it is: no lock, no recovery, nothing made beside it: <https://sqlite.org/uri.html#uriimmutable>.
        let escaped = path.utf8.map { byte in
            let isPlain =
                byte == 0x2f || byte == 0x2e || byte == 0x2d || byte == 0x5f
                || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            let hex = String(byte, radix: 16)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (hex.count == 1 ? "0" + hex : hex)
        }.joined()
        let flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
        guard let file = try? SQLiteConnection(path: "file:\(escaped)?immutable=1", flags: flags),
            let tables = try? file.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"),
            let ours = try? file.integer(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('agent', 'destination', 'dead_letter', 'total')"
            )
        else { return nil }
        return tables > 0 && ours == 0
    }
}
