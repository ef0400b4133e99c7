// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Which process listens on a TCP port, as far as this one may see: proc(5). For words of a start that failed.
enum PortHolder {
    /// As `nginx (pid 812)`; `nil` where nobody listens, or who does belongs to another user.
    static func find(port: Int) -> String? {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap { read($0) }
        let sockets = Set(tables.flatMap { inodes(listeningOn: port, table: $0) }.map { "socket:[\($0)]" })
        guard !sockets.isEmpty else { return nil }
        for process in names(in: "/proc") {
            guard let pid = Int(process) else { continue }
            let folder = "/proc/\(pid)/fd"
            for descriptor in names(in: folder) {
                guard let target = link("\(folder)/\(descriptor)"), sockets.contains(target) else { continue }
                let name = read("/proc/\(pid)/comm").map { $0.prefix { $0 != "\n" } } ?? "a process"
                return "\(name) (pid \(pid))"
            }
        }
        return nil
    }

    /// The sockets of a table such as `/proc/net/tcp` that listen on a port of whatever address.
    static func inodes(listeningOn port: Int, table: String) -> [String] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            //   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
            //    0: 0100007F:1F8D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 …
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
                Int(fields[1][fields[1].index(after: colon)...], radix: 16) == port
            else { return nil }
            return String(fields[9])
        }
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
            )
        }
        return names
    }

    private static func link(_ path: String) -> String? {
        var target = [CChar](repeating: 0, count: 256)
        let count = readlink(path, &target, target.count)
        return count > 0 ? String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    private static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 4 << 20 {
            let count = Glibc.read(file, &block, block.count)
            guard count > 0 else { break }
            bytes += block[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
