// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc
import Testing

@testable import AgentQueue

struct PlaceTests {
    private func open(_ path: String, _ recorder: Recorder = Recorder()) throws -> EventQueue {
        var settings = QueueSettings(path: path)
        settings.minFreeDisk = 0
        settings.reserveBytes = 0
        return try EventQueue.open(settings, observer: recorder)
    }

    private func refusal(_ path: String) -> QueueError? {
        do {
            try open(path).close()
            return nil
        } catch {
            return error as? QueueError
        }
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    // MARK: Files of others

    /// What lies there, and what is said of it.
    static let others: [(String, [UInt8])] = [
        ("a text file", Array(String(repeating: "to do: everything\n", count: 300).utf8)),
        ("a text file", [0x61]),
        ("a file of another kind", [UInt8](repeating: 0, count: 8192)),
        ("a file of another kind", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]),
        ("a database of another application", Array("SQLite format 3\0".utf8) + [UInt8](repeating: 0, count: 8000)),
    ]

    @Test(arguments: others) func aFileOfAnotherIsLeftAsItIs(found: String, content: [UInt8]) throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/queue.db"
        try writeFile(path, content)
        chmod(path, 0o644)
        // However often it is tried: nothing that a try leaves makes it look like a queue.
        for _ in 0..<2 {
            let refusal = refusal(path)
            #expect(refusal == .foreign(path: path, found: found))
            #expect(refusal?.isOfConfiguration == true)
            #expect(folder.names() == ["queue.db"])
            #expect(try fileBytes(path) == content)
            #expect(mode(path) == 0o644)
        }
    }

    /// - Parameter isMarked: Whether a queue's lock has been left beside it.
    @Test(arguments: [false, true]) func aDatabaseOfAnotherApplicationIsLeftAsItIs(isMarked: Bool) throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/queue.db"
        do {
            let file = try SQLiteConnection(path: path, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
            try file.execute("PRAGMA journal_mode = WAL; PRAGMA application_id = 77; CREATE TABLE songs (title)")
        }
        if isMarked { try writeLock(folder) }
        let before = try fileBytes(path)
        let found = "a database of another application (application_id 0x4d)"
        #expect(refusal(path) == .foreign(path: path, found: found))
        #expect(try fileBytes(path) == before)
        #expect(folder.names() == ["queue.db"] + (isMarked ? ["queue.db.lock"] : []))
    }

    @Test func theLogOfAnotherIsLeftAsItIs() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/queue.db"
        try writeFile(path + "-wal", [UInt8](repeating: 1, count: 5000))
        guard case .foreign = refusal(path) else {
            Issue.record("not refused")
            return
        }
        #expect(folder.names() == ["queue.db-wal"])
    }

    @Test func anEmptyFileIsAPlaceForAQueue() throws {
        let folder = TemporaryFolder()
        try writeFile("\(folder.path)/queue.db", [])
        #expect(refusal("\(folder.path)/queue.db") == nil)
    }

    @Test func aTornQueueIsToldByItsLockEvenByAnOlderAgents() throws {
        for isOld in [false, true] {
            let fixture = try QueueFixture { $0.reserveBytes = 4096 }
            try fixture.append(fixture.events(3, to: fixture.destination()))
            fixture.upkeep()
            fixture.queue.close()
            try writeFile(fixture.settings.path, [UInt8](repeating: 0xa5, count: 20_000))
            if isOld { try writeFile(fixture.settings.path + ".lock", []) }
            let copies = TemporaryFolder()
            let fault = #expect(throws: QueueError.self) {
                try OfflineQueue(copying: fixture.settings.path, in: copies.path)
            }
            guard case .damaged? = fault else {
                Issue.record("\(String(describing: fault))")
                continue
            }
            try fixture.reopen()
            #expect(fixture.recorder.notices.contains { if case .damaged = $0 { true } else { false } })
        }
    }

    // MARK: Paths

    @Test func whatCannotBeAPathIsSaid() throws {
        let folder = TemporaryFolder()
        let long = "/" + String(repeating: "x/", count: 2500) + "queue.db"
        let cases: [(String, String)] = [
            ("", "empty"), ("\(folder.path)/que\0ue.db", "NUL"), (long, "too long"), ("\(folder.path)/", "folder"),
            ("\(folder.path)/" + String(repeating: "n", count: 250), "too long"), ("\(folder.path)/..", "folder"),
        ]
        for (path, word) in cases {
            guard case .badPath(_, let reason) = refusal(path) else {
                Issue.record("\(path.prefix(60)) is taken")
                continue
            }
            #expect(reason.contains(word))
        }
        #expect(folder.names() == [])
    }

    @Test(arguments: QueuePlace.suffixes) func whatIsNoRegularFileIsRefusedAtOnce(suffix: String) throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/queue.db"
        mkfifo(path + suffix, 0o600)
        #expect(refusal(path) == .badPath(path: path, reason: "\(path + suffix) is a FIFO"))
        unlink(path + suffix)
        mkdir(path + suffix, 0o700)
        #expect(refusal(path) == .badPath(path: path, reason: "\(path + suffix) is a folder"))
        rmdir(path + suffix)
        #expect(refusal("/dev/null") == .badPath(path: "/dev/null", reason: "/dev/null is a device"))
    }

    @Test func aLinkToAFileIsThatFile() throws {
        let (folder, other) = (TemporaryFolder(), TemporaryFolder())
        symlink("\(other.path)/real.db", "\(folder.path)/queue.db")
        for _ in 0..<2 {
            let fixture = try QueueFixture(folder: folder)
            try fixture.append(fixture.events(1, to: fixture.destination()))
            #expect(other.names().contains("real.db-wal"))
            #expect(throws: QueueError.locked(path: "\(other.path)/real.db")) {
                try OfflineQueue(copying: fixture.settings.path, in: folder.path)
            }
        }
        #expect(folder.names() == ["queue.db"])
        let copies = TemporaryFolder()
        let copy = try OfflineQueue(copying: "\(folder.path)/queue.db", in: copies.path)
        #expect(try copy.streams().map(\.totals.queuedEvents) == [2])
        // Relative to where the link is; and in a circle.
        symlink("queue.db", "\(folder.path)/again.db")
        #expect(try QueuePlace.resolve("\(folder.path)/again.db") == "\(other.path)/real.db")
        symlink("b.db", "\(folder.path)/a.db")
        symlink("a.db", "\(folder.path)/b.db")
        guard case .badPath = refusal("\(folder.path)/a.db") else {
            Issue.record("a circle is taken")
            return
        }
    }

    @Test func missingFoldersAreMadeForTheAgentAndItsGroup() throws {
        let folder = TemporaryFolder()
        let inner = "\(folder.path)/var/lib"
        #expect(refusal("\(inner)/queue.db") == nil)
        #expect(mode(inner) == 0o750 && mode("\(folder.path)/var") == 0o750)
        for name in ["queue.db", "queue.db.lock"] { unlink("\(inner)/\(name)") }
        rmdir(inner)
        rmdir("\(folder.path)/var")
    }

    @Test func aFolderThatCannotBeMadeIsSaidWithTheCommandThatMakesIt() throws {
        let refusal = refusal("/proc/nobody/here/queue.db")
        guard case .noFolder(_, "/proc/nobody/here", ENOENT) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(refusal?.description.contains("install -d -m 0750 -o \(userName()) /proc/nobody/here") == true)
        #expect(refusal?.isOfConfiguration == true)
    }

    @Test func filesThatOthersMayReadAreClosedToThem() throws {
        let fixture = try QueueFixture()
        try fixture.append(fixture.events(1, to: fixture.destination()))
        let crashed = TemporaryFolder()
        let path = "\(crashed.path)/queue.db"
        for suffix in ["", "-wal"] {
            try copyFile(fixture.settings.path + suffix, path + suffix)
            chmod(path + suffix, 0o666)
        }
        let recorder = Recorder()
        let queue = try open(path, recorder)
        for suffix in ["", "-wal", "-shm", ".lock"] { #expect(mode(path + suffix) == 0o600, "\(suffix)") }
        #expect(
            recorder.notices.filter { if case .looseMode = $0 { true } else { false } }
                == ["", "-wal"].map { .looseMode(path: path + $0, mode: 0o666, isMended: true) }
        )
        queue.close()
    }
}
