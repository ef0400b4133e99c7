// SPDX-License-Identifier: Apache-2.0

internal import Glibc

enum ProcFile {
    /// The whole text of a small file; `nil` where it cannot be read.
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += block[..<count]
        }
    }
}

/// What the system knows about a process, at one moment.
struct ProcessFigures {
    /// User and system time of all its threads, also of those that ended.
    let cpuNanoseconds: UInt64
    /// The system's part of it, in ticks of 10 ms.
    let systemNanoseconds: UInt64
    let residentBytes: Int
    let peakResidentBytes: Int
    /// What it read by system calls, from the disk or from the system's memory of it, and from sockets.
    let readBytes: Int

    init(of process: pid_t) throws(BenchError) {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            throw .stalled("Process \(process) is gone: its figures cannot be read.")
        }
        cpuNanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)

        // The name is in brackets and may hold anything, so fields are counted from the last bracket: state is the
        // first, utime the 12th, stime the 13th.
        let stat = ProcFile.read("/proc/\(process)/stat") ?? ""
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        let ticks = fields.count > 13 ? UInt64(fields[13]) ?? 0 : 0
        systemNanoseconds = ticks * 1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

        let status = ProcFile.read("/proc/\(process)/status") ?? ""
        residentBytes = Self.number("VmRSS:", in: status) << 10
        peakResidentBytes = Self.number("VmHWM:", in: status) << 10
        readBytes = Self.number("rchar:", in: ProcFile.read("/proc/\(process)/io") ?? "")
    }

    private static func number(_ name: String, in text: String) -> Int {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }
}
