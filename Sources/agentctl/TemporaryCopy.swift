// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Dispatch
internal import Glibc

/// A folder for the copy of a queue file, which only this user can look into. It is gone when this program ends, however
/// that is, but for SIGKILL. One at a time.
struct TemporaryCopy {
    let path: String
    private let sources: [any DispatchSourceSignal]

    private static let names = ["queue.db", "queue.db-wal", "queue.db-shm", "queue.db-journal", "queue.db.lock"]
    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    // Written once, before there is another thread that reads it.
    nonisolated(unsafe) private static var current = ""

    init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        let place = parent.isEmpty ? "/var/tmp" : parent
        var template = Array("\(place)/agentctl.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            let reason = String(cString: strerror(errno))
            Console.say("agentctl: the file cannot be copied to \(place): \(reason). Set TMPDIR to another folder.")
            throw ExitCode.failure
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        Self.current = path
        atexit { TemporaryCopy.removeCurrent() }
        // Whoever reads the output may have enough: then writing fails, and this ends in order.
        signal(SIGPIPE, SIG_IGN)
        sources = Self.signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                TemporaryCopy.removeCurrent()
                _exit(128 + number)
            }
            source.resume()
            return source
        }
    }

    func remove() {
        Self.removeCurrent()
        for source in sources { source.cancel() }
        for number in Self.signals { signal(number, SIG_DFL) }
    }

    private static func removeCurrent() {
        for name in names { unlink("\(current)/\(name)") }
        rmdir(current)
    }
}
