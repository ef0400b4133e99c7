// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A directory of its own for one run, on the disk that is to be measured; gone afterwards.
final class ScratchDirectory {
    let path: String
    private let isKept: Bool

    /// - Throws: Where `parent` is kept in memory: syncing costs nothing there, so that figures would mean nothing.
    init(in parent: String, isKept: Bool) throws(BenchError) {
        guard let resolved = realpath(parent, nil) else {
            throw .system(call: "open", object: parent, errno: errno)
        }
        let directory = String(cString: resolved)
        free(resolved)
        if let kind = try Self.fileSystem(of: directory), ["tmpfs", "ramfs"].contains(kind) {
            throw .badDirectory(
                "\(directory) is on \(kind), where syncing costs nothing. Choose a --directory on a disk."
            )
        }
        // mkdtemp(3) puts a name of its own in place of the six letters.
        var template = Array("\(directory)/agent-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .system(call: "mkdtemp", object: directory, errno: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.isKept = isKept
    }

    deinit { if !isKept { remove() } }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ text: String, to name: String) throws(BenchError) {
        guard let file = fopen(file(name), "we") else { throw .system(call: "open", object: name, errno: errno) }
        let isWritten = fputs(text, file) >= 0
        guard fclose(file) == 0, isWritten else { throw .system(call: "write", object: name, errno: errno) }
    }

    /// The end of a log, for words about a program that failed.
    func tail(_ name: String, bytes: Int = 2048) -> String {
        guard let text = ProcFile.read(file(name)) else { return "" }
        return String(text.suffix(bytes))
    }

    /// 0 where there is no such file.
    func size(_ name: String) -> Int {
        var status = stat()
        return stat(file(name), &status) == 0 ? Int(status.st_size) : 0
    }

    /// Flat: agentd and kinesis-local make no directories.
    private func remove() {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { unlink(file(name)) }
        }
        closedir(directory)
        rmdir(path)
    }

    /// The kind of file system, from the mount that has the directory's device.
    private static func fileSystem(of directory: String) throws(BenchError) -> String? {
        var status = stat()
        guard stat(directory, &status) == 0 else { throw .system(call: "stat", object: directory, errno: errno) }
        // The bits of glibc's makedev().
        let number = UInt64(status.st_dev)
        let major = (number >> 8) & 0xfff | (number >> 32) & ~0xfff
        let minor = number & 0xff | (number >> 12) & ~0xff
        let device = "\(major):\(minor)"
        for line in (ProcFile.read("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            // id parent major:minor root mount-point options [optional…] - type source options
            let fields = line.split(separator: " ")
            guard fields.count > 6, fields[2] == device else { continue }
            guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            return String(fields[dash + 1])
        }
        return nil
    }
}
