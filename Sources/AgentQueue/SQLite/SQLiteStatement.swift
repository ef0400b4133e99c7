// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc

/// A prepared statement. Pointers that columns hand out are valid until the next step or reset.
struct SQLiteStatement: ~Copyable {
    private let handle: OpaquePointer
    private let connection: OpaquePointer

    init(_ connection: borrowing SQLiteConnection, _ sql: String) throws(QueueError) {
        try self.init(connection.handle, sql)
    }

    /// - Parameter connection: An open one.
    init(_ connection: OpaquePointer, _ sql: String) throws(QueueError) {
        var prepared: OpaquePointer?
        let result = sqlite3_prepare_v3(
            connection,
            sql,
            -1,
            UInt32(SQLITE_PREPARE_PERSISTENT),
            &prepared,
            nil
        )
        try check(result, sql, connection)
        guard let prepared else {
            throw .storage(operation: sql, message: "the statement is empty", code: SQLITE_MISUSE)
        }
        self.handle = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    private var sql: String { sqlite3_sql(handle).map { String(cString: $0) } ?? "" }

    // MARK: Parameters, counted from 1

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) throws(QueueError) {
        try check(sqlite3_bind_int64(handle, index, value), sql, connection)
    }

    @inline(__always)
    func bind(_ index: Int32, _ id: EventID) throws(QueueError) { try bind(index, id.rawValue) }

    /// `bytes` must stay in place until the statement is reset or bound anew: SQLite makes no copy.
    @inline(__always)
    func bind(_ index: Int32, inPlace bytes: UnsafeRawBufferPointer) throws(QueueError) {
        // A null pointer would store NULL.
        guard bytes.count > 0, let base = bytes.baseAddress else {
            try check(sqlite3_bind_zeroblob(handle, index, 0), sql, connection)
            return
        }
        try check(
            agent_sqlite3_bind_blob_static(handle, index, base, UInt64(truncatingIfNeeded: bytes.count)),
            sql,
            connection
        )
    }

    func bind(_ index: Int32, _ text: String) throws(QueueError) {
        var text = text
        let result = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { chars in
                // The address of an empty string may be null, which would store NULL.
                agent_sqlite3_bind_text_copy(handle, index, chars.baseAddress ?? emptyText, UInt64(chars.count))
            }
        }
        try check(result, sql, connection)
    }

    // MARK: Running

    /// Whether there is a row.
    @inline(__always)
    func step() throws(QueueError) -> Bool {
        // What an error came of is told apart by it.
        errno = 0
        let result = sqlite3_step(handle)
        if result == SQLITE_ROW { return true }
        if result == SQLITE_DONE { return false }
        defer { sqlite3_reset(handle) }
        try check(result, sql, connection)
        return false
    }

    /// Runs a statement that returns no rows, and makes it ready to run again.
    @inline(__always)
    func run() throws(QueueError) {
        _ = try step()
        reset()
    }

    /// The result repeats the error of the last step, which `step` has thrown already.
    @inline(__always)
    func reset() { sqlite3_reset(handle) }

    // MARK: Columns, counted from 0

    @inline(__always)
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// 0...2⁶⁰, whatever the file says: a few of these can be added up.
    @inline(__always)
    func natural(_ column: Int32) -> Int64 { min(max(0, integer(column)), 1 << 60) }

    /// 0...2⁴⁸, whatever the file says: sums over all destinations fit into an integer.
    func count(_ column: Int32) -> Int64 { min(max(0, integer(column)), 1 << 48) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    @inline(__always)
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        // First the pointer, then the count: <https://sqlite.org/c3ref/column_blob.html>.
        let base = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
    }

    @inline(__always)
    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
}

// SAFETY: never written to; only its address matters.
nonisolated(unsafe) private let emptyText: UnsafePointer<CChar> = {
    let zero = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    zero.initialize(to: 0)
    return UnsafePointer(zero)
}()
