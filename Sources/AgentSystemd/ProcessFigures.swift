// SPDX-License-Identifier: Apache-2.0

internal import CSystemd
internal import Glibc

/// What the system says of this process: proc(5).
public struct ProcessFigures: Sendable {
    /// Seconds since 1970; `nil` where the system does not say.
    public let startTime: Double?
    /// Memory that is in RAM, in bytes; `nil` where the system does not say.
    public let residentBytes: Int?
    /// Time on processors, of all threads, in seconds.
    public let processorSeconds: Double

    /// As of now. Reads two small files.
    public static var current: ProcessFigures {
        ProcessFigures(
            startTime: startTime,
            residentBytes: words(of: "/proc/self/statm")?.dropFirst().first.flatMap { Int($0) }.map {
                $0 * sysconf(Int32(_SC_PAGESIZE))
            },
            processorSeconds: seconds(CLOCK_PROCESS_CPUTIME_ID)
        )
    }

    private static var startTime: Double? {
        // Behind the name, which may have spaces and brackets in it, the state is the third field of all.
        guard let text = read("/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[end...].dropFirst().split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        let ticksASecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        return seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME) + ticks / ticksASecond
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func words(of path: String) -> [Substring]? { read(path)?.split(separator: " ") }

    private static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(file, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
