// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc

/// The queue file, opened for the writer, repaired first where it is damaged.
struct OpenedFile {
    let file: WriteConnection
    let ledger: Ledger
    let clock: AgentClock
    /// The disk was full, and opening it took what was set aside.
    let isReserveSpent: Bool

    /// One a second.
    private static let openingAttempts = 5

    init(_ settings: QueueSettings, clocks: QueueClocks, observer: (any QueueObserver)?) throws(QueueError) {
        let uptime = clocks.uptimeNS()
        let wall = clocks.wallMS()
        let isTrusted = clocks.isWallTrusted()
        let fresh = AgentClock.Mark(
            agentMS: wall,
            wallMS: wall,
            isWallTrusted: isTrusted,
            boot: clocks.boot,
            uptimeNS: uptime
        )
        try Salvage.finishInterrupted(path: settings.path, wallMS: wall)
        do throws(QueueError) {
            (file, ledger, isReserveSpent) = try Self.openPatiently(settings, clock: fresh)
        } catch {
            switch error {
            case .damaged, .unreadable: break
            default: throw error
            }
            let (outcome, tookReserve) = try Self.replace(settings, clock: fresh, because: error)
            observer?.noticed(outcome.notice)
            let opened = try Self.openWithReserve(settings, clock: fresh)
            (file, ledger, isReserveSpent) = (opened.0, opened.1, opened.2 || tookReserve)
        }
        clock = AgentClock(
            resuming: try file.clockMark(),
            wallMS: wall,
            isWallTrusted: isTrusted,
            boot: clocks.boot,
            uptimeNS: uptime
        )
    }

    /// What the disk does not give at once, it may give later.
    private static func openPatiently(_ settings: QueueSettings, clock: AgentClock.Mark) throws(QueueError) -> (
        WriteConnection, Ledger, Bool
    ) {
        for _ in 1..<openingAttempts {
            do throws(QueueError) {
                try inspect(settings.path)
                return try openWithReserve(settings, clock: clock)
            } catch {
                switch error {
                case .unreadable: sleep(1)
                // SQLite has waited a second for it.
                case .busy: usleep(200_000)
                default: throw error
                }
            }
        }
        try inspect(settings.path)
        return try openWithReserve(settings, clock: clock)
    }

    private static func replace(_ settings: QueueSettings, clock: AgentClock.Mark, because error: QueueError)
        throws(QueueError) -> (Salvage.Outcome, tookReserve: Bool)
    {
        do throws(QueueError) {
            return (try Salvage.replace(settings, known: nil, clock: clock, because: error), false)
        } catch let failure {
            var reserve = DiskReserve(queuePath: settings.path, bytes: settings.reserveBytes)
            guard case .full = failure, reserve.release() else { throw failure }
            return (try Salvage.replace(settings, known: nil, clock: clock, because: error), true)
        }
    }

    /// On a full disk, what was set aside makes room for what opening writes.
    private static func openWithReserve(_ settings: QueueSettings, clock: AgentClock.Mark) throws(QueueError) -> (
        WriteConnection, Ledger, Bool
    ) {
        do throws(QueueError) {
            let (file, ledger) = try open(settings, clock: clock)
            return (file, ledger, false)
        } catch {
            var reserve = DiskReserve(queuePath: settings.path, bytes: settings.reserveBytes)
            guard case .full = error, reserve.release() else { throw error }
            let (file, ledger) = try open(settings, clock: clock)
            return (file, ledger, true)
        }
    }

    private static func open(_ settings: QueueSettings, clock: AgentClock.Mark) throws(QueueError) -> (
        WriteConnection, Ledger
    ) {
        let file = try WriteConnection(settings, clock: clock)
        return (file, try file.ledger())
    }

    /// Tells what SQLite would not call damage: it takes an empty file for a new database, and throws its WAL away.
    private static func inspect(_ path: String) throws(QueueError) {
        // The power went while the file was made, which SQLite undoes; until then it may look like anything.
        if let journal = FileIdentity(path + "-journal"), journal.size > 0 { return }
        guard let identity = FileIdentity(path) else {
            // SQLite would make a new file, and delete the WAL.
            guard let log = FileIdentity(path + "-wal"), log.size > 0 else { return }
            throw .damaged(
                operation: "open \(path)",
                message: "the file is gone, its WAL is there",
                code: SQLITE_NOTADB
            )
        }
        if LogHeader.isDamaged(path + "-wal") {
            throw .damaged(operation: "open \(path)-wal", message: "its header is damaged", code: SQLITE_NOTADB)
        }
        if identity.size == 0 {
            guard let log = FileIdentity(path + "-wal"), log.size > 0 else { return }
            throw .damaged(operation: "open \(path)", message: "the file is empty", code: SQLITE_NOTADB)
        }
        guard let head = readHead(of: path, count: 16) else {
            throw .system(operation: "read", path: path, errno: errno)
        }
        // The disk gave nothing; SQLite will say why.
        guard !head.isEmpty else { return }
        guard head.elementsEqual("SQLite format 3\0".utf8) else {
            throw .damaged(operation: "open \(path)", message: "it is not a database", code: SQLITE_NOTADB)
        }
    }
}
