// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc

/// Turns a result code into an error, with the connection's message as it is now.
@inline(__always)
func check(_ result: Int32, _ operation: @autoclosure () -> String, _ handle: OpaquePointer?) throws(QueueError) {
    if result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE { return }
    throw failure(result, operation(), handle)
}

@inline(never)
private func failure(_ result: Int32, _ operation: String, _ handle: OpaquePointer?) -> QueueError {
    let system = errno
    let message = String(cString: handle.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(result))
    let code = handle.map { sqlite3_extended_errcode($0) } ?? result
    // Of what the disk does not give, SQLite says that it is damaged: <https://sqlite.org/rescode.html#ioerr_corruptfs>.
    if system == EIO, isReading(code) {
        return .unreadable(operation: operation, message: systemMessage(system), code: code)
    }
    // Of the system's ways to say that there is no room, SQLite knows one, in writes to its files.
    if lacksRoom(code, system) { return .full(operation: operation, message: systemMessage(system), code: code) }
    return switch result & 0xff {
    case SQLITE_FULL: .full(operation: operation, message: message, code: code)
    case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged(operation: operation, message: message, code: code)
    case SQLITE_BUSY: busy(handle)
    default: .storage(operation: operation, message: message, code: code)
    }
}

private func busy(_ handle: OpaquePointer?) -> QueueError {
    let path = handle.flatMap { sqlite3_db_filename($0, "main") }.map { String(cString: $0) } ?? ""
    return .busy(path: path, holder: lockHolders(of: path))
}

private func isReading(_ code: Int32) -> Bool {
    switch code & 0xff {
    case SQLITE_CORRUPT, SQLITE_NOTADB: true
    case SQLITE_IOERR: [ioError(1), ioError(2), ioError(33)].contains(code)
    default: false
    }
}

private func lacksRoom(_ code: Int32, _ system: Int32) -> Bool {
    switch code {
    case ioError(3): system == EDQUOT
    case ioError(19): system == ENOSPC || system == EDQUOT
    default: false
    }
}

/// 1: read, 2: short read, 3: write, 19: size of the WAL's index, 33: the file system says that it is damaged.
private func ioError(_ detail: Int32) -> Int32 { SQLITE_IOERR | detail << 8 }

/// Fails, and changes nothing, where something else in the process has used the library before.
private let libraryIsConfigured: Bool = agent_sqlite3_config_no_memory_status() == SQLITE_OK

/// An open database. Used by one thread at a time: the owner's serial queue.
struct SQLiteConnection: ~Copyable {
    let handle: OpaquePointer

    /// - Parameter vfs: the name of a registered VFS; `nil` is SQLite's default one.
    init(path: String, flags: Int32, vfs: String? = nil) throws(QueueError) {
        _ = libraryIsConfigured
        var opened: OpaquePointer?
        let result = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
        guard result == SQLITE_OK, let opened else {
            // A handle may come back with an error too: <https://sqlite.org/c3ref/open.html>.
            let error = failure(result, "open \(path)", opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
    }

    // Waits for statements that outlive it, so the order of release does not matter:
    // <https://sqlite.org/c3ref/close.html>.
    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that return nothing of interest.
    func execute(_ sql: String) throws(QueueError) {
        errno = 0
        try check(sqlite3_exec(handle, sql, nil, nil, nil), sql, handle)
    }

    /// The first column of the first row, 0 where there is none.
    func integer(_ sql: String) throws(QueueError) -> Int64 {
        let statement = try SQLiteStatement(self, sql)
        return try statement.step() ? statement.integer(0) : 0
    }

    func text(_ sql: String) throws(QueueError) -> String {
        let statement = try SQLiteStatement(self, sql)
        return try statement.step() ? statement.text(0) : ""
    }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Rows changed by the last statement.
    var changes: Int { Int(sqlite3_changes64(handle)) }

    func configure(_ option: Int32, _ value: Int32) throws(QueueError) {
        try check(agent_sqlite3_db_config_int(handle, option, value), "sqlite3_db_config", handle)
    }
}
