// SPDX-License-Identifier: Apache-2.0
import CSQLite

extension SQLiteConnection {
    /// Writes the bytes of the WAL once more to where they are, and syncs them: all of them are on the disk then.
    ///
    /// After a sync that failed, of this process or of one before it, the system keeps what it could not write in its
    /// cache and takes it for clean: later syncs pass over it. A commit after such a hole would be synced, and be gone
    /// after a power cut, since recovery ends at the hole; and a checkpoint would copy frames into the database that
    /// the WAL on the disk does not have, which recovery would then mix with older pages. Where the cache has lost
    /// the bytes, they are read as they are on the disk, and nobody has relied on them yet.
    ///
    /// The bytes stay the same, so it does no harm when the power goes in the middle.
    func rewriteLog() throws(QueueError) {
        // Reads the WAL after a crash, and keeps others from changing it.
        try execute("BEGIN IMMEDIATE")
        do throws(QueueError) {
            try rewriteLogInTransaction()
        } catch {
            try execute("ROLLBACK")
            throw error
        }
        try execute("COMMIT")
    }

    private func rewriteLogInTransaction() throws(QueueError) {
        var pointer: UnsafeMutablePointer<sqlite3_file>?
        try check(
            sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &pointer),
            "find the WAL",
            handle
        )
        guard let file = pointer, let methods = file.pointee.pMethods else { return }
        var size: Int64 = 0
        try check(methods.pointee.xFileSize(file, &size), "read the size of the WAL", nil)
        // The largest page: the unix VFS does not take more than 128 KiB at a time.
        let slice: Int64 = 64 << 10
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: Int(slice), alignment: 16)
        defer { bytes.deallocate() }
        for offset in stride(from: 0, to: size, by: Int64.Stride(slice)) {
            let count = Int32(min(slice, size - offset))
            try check(methods.pointee.xRead(file, bytes, count, offset), "read the WAL", nil)
            try check(methods.pointee.xWrite(file, bytes, count, offset), "write the WAL", nil)
        }
        if size > 0 { try check(methods.pointee.xSync(file, SQLITE_SYNC_NORMAL), "sync the WAL", nil) }
    }
}
