// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc

// What the queue asks of the file system, beside what SQLite does.

func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }

/// The first 4 KiB of a file as text, without line ends; `nil` where it cannot be read.
func readSmallFile(_ path: String) -> String? {
    guard let bytes = readHead(of: path, count: 4096) else { return nil }
    return String(decoding: bytes.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
}

/// Up to `count` bytes from the start of a file.
///
/// Not for a database that this process has open: closing the descriptor would drop SQLite's locks on it.
func readHead(of path: String, count: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard count > 0 else { return [] }
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = max(0, read(descriptor, buffer.baseAddress, count))
    }
    return bytes
}

/// Which file a path names now.
struct FileIdentity: Hashable {
    let device: UInt64
    let inode: UInt64
    let size: Int64

    /// `nil` where there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_nlink > 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
    }

    func isSameFile(as other: FileIdentity) -> Bool { device == other.device && inode == other.inode }
}

/// Bytes that the file system of `path` has left for this process; `nil` where it does not say.
func freeDiskBytes(at path: String) -> Int64? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    return Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
}

/// The word for a file system that may lose a queue; `nil` for the others.
func riskyFileSystem(at path: String) -> String? {
    // Numbers of statfs(2), from linux/magic.h.
    switch agent_file_system_type(path) {
    case 0x0102_1994, 0x8584_58f6: "tmpfs"
    case 0x794c_7630: "overlay"
    case 0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x5346_414f, 0x00c3_6400: "network"
    default: nil
    }
}

func syncFolder(of path: String) {
    let descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    // Some file systems cannot sync a folder; those that can report what matters through the file's own sync.
    _ = fsync(descriptor)
    close(descriptor)
}

func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Held as long as the value lives: one agent a queue.
struct QueueLock: ~Copyable {
    private let descriptor: Int32

    /// - Throws: ``QueueError/locked(path:)`` while another process holds it.
    init(queuePath: String) throws(QueueError) {
        let path = queuePath + ".lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "open", path: path, errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { throw .locked(path: queuePath) }
            throw .system(operation: "lock", path: path, errno: code)
        }
        self.descriptor = descriptor
        mark(path)
    }

    /// What is in it, so that the files beside it can be told from those of others.
    static let mark = "agentd queue lock\n"

    /// Before the queue is made, so that a power cut leaves no torn queue without it. A lock that an older agent made is
    /// empty.
    private func mark(_ path: String) {
        guard FileIdentity(path)?.size == 0 else { return }
        let bytes = Array(Self.mark.utf8)
        _ = pwrite(descriptor, bytes, bytes.count, 0)
        _ = fsync(descriptor)
        syncFolder(of: path)
    }

    // The file stays: removing it would let two agents lock two files of the same name.
    // Unlocked by name: a child that was forked off has the descriptor until it executes its program.
    deinit {
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

/// Disk set aside, so that deletes and checkpoints have room when the disk is full.
struct DiskReserve {
    let path: String
    let bytes: Int64
    private(set) var isHeld = false

    init(queuePath: String, bytes: Int64) {
        path = queuePath + ".reserve"
        self.bytes = bytes
        isHeld = FileIdentity(path).map { $0.size >= bytes } ?? false
    }

    /// Takes the space from the file system, blocks and all.
    mutating func take() throws(QueueError) {
        guard !isHeld, bytes > 0 else { return }
        try Self.allocate(path, bytes)
        isHeld = true
    }

    /// Whether the file system gives so much besides what is held: what it says is free, a quota may deny.
    func hasRoom(for bytes: Int64) -> Bool {
        let trial = path + "-trial"
        defer { unlink(trial) }
        do { try Self.allocate(trial, bytes) } catch { return false }
        return true
    }

    private static func allocate(_ path: String, _ bytes: Int64) throws(QueueError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "create", path: path, errno: errno) }
        defer { close(descriptor) }
        let code = posix_fallocate(descriptor, 0, off_t(bytes))
        guard code == 0 else {
            unlink(path)
            throw .system(operation: "reserve disk for", path: path, errno: code)
        }
    }

    /// Gives the space back to the file system. Whether there was any.
    mutating func release() -> Bool {
        guard isHeld else { return false }
        isHeld = false
        return unlink(path) == 0
    }
}

/// The programs that hold a lock on a database, for people; itself left out.
func lockHolders(of path: String) -> String {
    // SQLite's own locks are on the WAL's index, those of other programs on any of the three.
    let files = ["", "-shm", "-wal"].compactMap { FileIdentity(path + $0)?.inode }
    var holders: [String] = []
    for line in readLines("/proc/locks") {
        // "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF": <https://man7.org/linux/man-pages/man5/proc_locks.5.html>.
        let fields = line.split(separator: " ").filter { $0 != "->" }
        guard fields.count >= 6, let pid = Int32(fields[4]), pid > 0, pid != getpid(),
            let inode = fields[5].split(separator: ":").last.flatMap({ UInt64($0) }), files.contains(inode)
        else { continue }
        let name = (readSmallFile("/proc/\(pid)/comm") ?? "").filter { $0.isASCII && !$0.isWhitespace && $0 >= "!" }
        let holder = name.isEmpty ? "process \(pid)" : "\(name), process \(pid)"
        if !holders.contains(holder) { holders.append(holder) }
    }
    return holders.isEmpty ? "which one cannot be told" : holders.prefix(3).joined(separator: "; ")
}

/// The lines of a file of /proc, which has no size.
private func readLines(_ path: String) -> [Substring] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count < 1 << 20 {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        bytes += buffer.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
}

/// The name of the user that the process runs as; its number where it has none.
func userName() -> String {
    guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "\(geteuid())" }
    return String(cString: name)
}
