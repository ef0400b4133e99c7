// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc

@testable import AgentQueue

/// The C side of ``FaultVFS``: functions without context, that find theirs by the address of what they are called on.
enum FaultShim {
    private struct OpenFile: @unchecked Sendable {
        let vfs: FaultVFS
        let name: String
        // SAFETY: a table of functions that is never written to.
        let methods: UnsafePointer<sqlite3_io_methods>
        /// The unix VFS syncs the folder with the first sync of a journal or a WAL.
        var syncsFolder: Bool
    }

    private static let registered = Lock<[FaultVFS?]>([])
    private static let files = Lock<[Int: OpenFile]>([:])
    /// By the address of the original table.
    private static let copies = Lock<[Int: Int]>([:])

    static func reserve() -> Int {
        registered.withLock { all in
            all.append(nil)
            return all.count - 1
        }
    }

    static func register(_ fault: FaultVFS) {
        registered.withLock { $0[fault.slot] = fault }
        // It stays for good: a connection may use it as long as it lives.
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: sqlite3_vfs_find(nil)!.pointee)
        vfs.pointee.zName = UnsafePointer(strdup(fault.name))
        vfs.pointee.pAppData = UnsafeMutableRawPointer(bitPattern: fault.slot + 1)
        vfs.pointee.xOpen = { FaultShim.open($0, $1, $2, $3, $4) }
        vfs.pointee.xDelete = { FaultShim.remove($0, $1, $2) }
        sqlite3_vfs_register(vfs, 0)
    }

    private static func fault(of vfs: UnsafeMutablePointer<sqlite3_vfs>?) -> FaultVFS {
        let slot = Int(bitPattern: vfs?.pointee.pAppData) - 1
        return registered.withLock { $0[slot]! }
    }

    private static func lastPart(_ path: UnsafePointer<CChar>?) -> String {
        guard let path else { return "" }
        return String(String(cString: path).split(separator: "/").last ?? "")
    }

    // MARK: Files

    private static func open(
        _ vfs: UnsafeMutablePointer<sqlite3_vfs>?,
        _ path: UnsafePointer<CChar>?,
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        let fault = fault(of: vfs)
        // A file that was not opened has no methods to close it with.
        file?.pointee.pMethods = nil
        if let code = fault.refusal(of: .open) { return code }
        let name = lastPart(path)
        // Read before SQLite has it open: closing a descriptor drops all locks on a file.
        fault.opened(name) { path.flatMap { try? fileBytes(String(cString: $0)) } }
        let real = sqlite3_vfs_find(nil)!
        // The unix VFS finds out about its locking style through the VFS that it is given.
        let result = real.pointee.xOpen(real, path, file, flags, outFlags)
        let isLog = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0
        if result == SQLITE_OK, let file { wrap(file, fault, name, syncsFolder: isLog) }
        return result
    }

    private static func remove(
        _ vfs: UnsafeMutablePointer<sqlite3_vfs>?,
        _ path: UnsafePointer<CChar>?,
        _ syncsFolder: Int32
    ) -> Int32 {
        let fault = fault(of: vfs)
        if let code = fault.refusal(of: .remove) { return code }
        let name = lastPart(path)
        fault.note(.remove, of: name)
        guard fault.hasPower(for: .remove) else { return FaultVFS.Call.remove.code }
        if syncsFolder != 0 { fault.synced(name, withFolder: true) }
        let real = sqlite3_vfs_find(nil)!
        return real.pointee.xDelete(real, path, 0)
    }

    private static func wrap(
        _ file: UnsafeMutablePointer<sqlite3_file>,
        _ fault: FaultVFS,
        _ name: String,
        syncsFolder: Bool
    ) {
        guard let methods = file.pointee.pMethods else { return }
        let open = OpenFile(vfs: fault, name: name, methods: methods, syncsFolder: syncsFolder)
        files.withLock { $0[Int(bitPattern: file)] = open }
        let copy = copies.withLock { copies in
            if let known = copies[Int(bitPattern: methods)] { return known }
            let copy = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
            copy.initialize(to: methods.pointee)
            copy.pointee.xClose = { FaultShim.close($0) }
            copy.pointee.xRead = { FaultShim.read($0, $1, $2, $3) }
            copy.pointee.xWrite = { FaultShim.write($0, $1, $2, $3) }
            copy.pointee.xTruncate = { FaultShim.truncate($0, $1) }
            copy.pointee.xSync = { FaultShim.sync($0, $1) }
            copy.pointee.xShmMap = { FaultShim.map($0, $1, $2, $3, $4) }
            copies[Int(bitPattern: methods)] = Int(bitPattern: copy)
            return Int(bitPattern: copy)
        }
        file.pointee.pMethods = UnsafePointer(bitPattern: copy)
    }

    private static func opened(_ file: UnsafeMutablePointer<sqlite3_file>?) -> OpenFile {
        files.withLock { $0[Int(bitPattern: file)]! }
    }

    // MARK: Methods of an open file

    private static func close(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        let open = opened(file)
        files.withLock { $0[Int(bitPattern: file)] = nil }
        return open.methods.pointee.xClose(file)
    }

    private static func read(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ bytes: UnsafeMutableRawPointer?,
        _ count: Int32,
        _ offset: Int64
    ) -> Int32 {
        let open = opened(file)
        return open.vfs.refusal(of: .read) ?? open.methods.pointee.xRead(file, bytes, count, offset)
    }

    private static func write(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ bytes: UnsafeRawPointer?,
        _ count: Int32,
        _ offset: Int64
    ) -> Int32 {
        let open = opened(file)
        if let code = open.vfs.refusal(of: .write) { return code }
        let written = [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        open.vfs.note(.write(offset: Int(offset), bytes: written), of: open.name)
        guard open.vfs.hasPower(for: .write) else { return FaultVFS.Call.write.code }
        return open.methods.pointee.xWrite(file, bytes, count, offset)
    }

    private static func truncate(_ file: UnsafeMutablePointer<sqlite3_file>?, _ size: Int64) -> Int32 {
        let open = opened(file)
        if let code = open.vfs.refusal(of: .truncate) { return code }
        open.vfs.note(.resize(Int(size)), of: open.name)
        guard open.vfs.hasPower(for: .truncate) else { return FaultVFS.Call.truncate.code }
        return open.methods.pointee.xTruncate(file, size)
    }

    private static func sync(_ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32) -> Int32 {
        let open = opened(file)
        if let code = open.vfs.refusal(of: .sync) {
            guard !open.vfs.isOff, let left = open.vfs.syncFailed(open.name) else { return code }
            _ = open.methods.pointee.xTruncate(file, Int64(left.count))
            _ = left.withUnsafeBytes { open.methods.pointee.xWrite(file, $0.baseAddress, Int32($0.count), 0) }
            return code
        }
        guard open.vfs.hasPower(for: .sync) else { return FaultVFS.Call.sync.code }
        open.vfs.synced(open.name, withFolder: open.syncsFolder)
        files.withLock { $0[Int(bitPattern: file)]?.syncsFolder = false }
        return SQLITE_OK
    }

    private static func map(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ region: Int32,
        _ size: Int32,
        _ extend: Int32,
        _ address: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int32 {
        let open = opened(file)
        if let code = open.vfs.refusal(of: .map) {
            address?.pointee = nil
            return code
        }
        return open.methods.pointee.xShmMap(file, region, size, extend, address)
    }
}
