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

/// A place that takes log lines, one system call a line, so that lines of several threads do not mix.
public struct LogOutput: Sendable {
    private let descriptor: Int32
    /// Whether lines get a journal's prefix rather than a time.
    public let isJournal: Bool

    public static let stderr = LogOutput(descriptor: STDERR_FILENO)

    /// - Parameter descriptor: stays the caller's.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
        isJournal = Self.isJournal(descriptor)
    }

    public func write(_ priority: LogPriority, _ text: String) {
        var line = (isJournal ? "<\(priority.rawValue)>" : "\(Self.wallTime()) \(priority.word): ") + text + "\n"
        line.withUTF8 { bytes in
            // A log that cannot be written has nowhere to say so.
            while Glibc.write(descriptor, bytes.baseAddress, bytes.count) < 0, errno == EINTR {}
        }
    }

    /// `message key=value …` on one line, keys in order; values with blanks or quotes are quoted.
    public static func text(_ message: String, _ values: [(key: String, value: String)]) -> String {
        values.sorted { $0.key < $1.key }.reduce(into: escaped(message)) { $0 += " \($1.key)=\(quoted($1.value))" }
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes =
            value.isEmpty || value.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }
        guard needsQuotes else { return escaped(value) }
        return escaped(
            value.reduce(into: "\"") { $0 += $1 == "\"" || $1 == "\\" ? "\\\($1)" : String($1) } + "\""
        )
    }

    /// A line end would begin a line without a priority; other control characters disturb terminals.
    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.properties.generalCategory == .control:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
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
