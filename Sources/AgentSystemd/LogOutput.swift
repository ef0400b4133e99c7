// SPDX-License-Identifier: Apache-2.0

internal import Glibc

// Log lines go to stderr. Where that is the journal, each begins with its priority, as sd-daemon(3) wants it:
//
//     <4>delivery fault stream=clicks@us-east-1 code=connect message="Connection refused"
//
// The journal is known by $JOURNAL_STREAM, which holds device and inode of the stderr that systemd made: a program
// whose stderr was redirected since then finds another inode. Everywhere else (a terminal, a file, a container) a line
// begins with the time and a word:
//
//     2026-11-22T06:41:57.042Z warning: delivery fault stream=…
//
// A line is made where something happens, and written by a `LogBuffer`.

/// How much a line matters: the levels of syslog(3).
public enum LogPriority: Int, Sendable, CaseIterable {
    case critical = 2
    case error
    case warning
    case notice
    case info
    case debug

    var word: String {
        switch self {
        case .critical: "critical"
        case .error: "error"
        case .warning: "warning"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }
}

/// The form of log lines at a descriptor.
public struct LogOutput: Sendable {
    let descriptor: Int32
    /// Whether lines get a journal's prefix rather than a time.
    public let isJournal: Bool

    public static let stderr = LogOutput(descriptor: STDERR_FILENO)

    /// - Parameter descriptor: stays the caller's.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
        isJournal = Self.isJournal(descriptor)
    }

    /// A whole line, its end included. `text` is one line already.
    public func line(_ priority: LogPriority, _ text: String) -> String {
        (isJournal ? "<\(priority.rawValue)>" : "\(Self.wallTime()) \(priority.word): ") + text + "\n"
    }

    /// A line for who started the program: no time, because nothing comes before it.
    public func plainLine(_ priority: LogPriority, _ text: String) -> String {
        (isJournal ? "<\(priority.rawValue)>" : "") + text + "\n"
    }

    private static func isJournal(_ descriptor: Int32) -> Bool {
        guard let variable = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return String(cString: variable) == "\(status.st_dev):\(status.st_ino)"
    }

    private static func wallTime() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date =
            "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(time.tv_nsec / 1_000_000, 3))Z"
    }
}
