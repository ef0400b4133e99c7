// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite
import Glibc
import Testing

@testable import AgentQueue

struct DiskTests {
    @Test func aFullDiskRefusesAppendsAndGoesOnDraining() throws {
        let fixture = try QueueFixture { $0.maxPages = 64 }
        let id = fixture.destination()
        var stored: [Int64] = []
        var refusal: AppendRefusal?
        while refusal == nil {
            do { stored.append(try fixture.append(fixture.events(1, to: id, bytes: 3000)).rawValue) } catch {
                refusal = error as? AppendRefusal
            }
        }
        guard case .diskFull = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(try fixture.ids(id) == stored)
        #expect(fixture.totals.queuedEvents == Int64(stored.count))
        fixture.settle(Array(stored.prefix(20)), of: id)
        #expect(fixture.totals.delivered == 20)
        try fixture.append(fixture.events(1, to: id, bytes: 3000))
        #expect(fixture.totals.isBalanced)
        #expect(
            fixture.recorder.notices.map { if case .diskFull = $0 { 1 } else if $0 == .diskHasRoom { 2 } else { 0 } }
                == [1, 2]
        )
    }

    @Test func settlementsCommitWhereTheAppendsOfTheirGroupFindNoRoom() throws {
        let fixture = try QueueFixture { $0.maxPages = 64 }
        let id = fixture.destination()
        try fixture.append(fixture.events(20, to: id, bytes: 3000))
        let request = fixture.request(fixture.events(100, to: id, bytes: 3000))
        fixture.queue.settle([Settlement(destination: id, ids: [EventID(1)])])
        fixture.queue.append([request])
        fixture.drain()
        guard case .refused(.diskFull) = fixture.recorder.answer(request.token) else {
            Issue.record("not refused")
            return
        }
        #expect(fixture.totals.delivered == 1)
        #expect(fixture.totals.refused == 100)
    }

    @Test func theReserveLetsDeletesGoOn() throws {
        let vfs = FaultVFS()
        let fixture = try QueueFixture {
            $0.vfs = vfs.name
            $0.reserveBytes = 1 << 20
        }
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        fixture.upkeep()
        #expect(FileIdentity(fixture.settings.path + ".reserve")?.size == 1 << 20)
        vfs.fail(.write, code: SQLITE_FULL)
        fixture.settle([1], of: id)
        #expect(fixture.totals.delivered == 1)
        #expect(FileIdentity(fixture.settings.path + ".reserve") == nil)
        guard case .diskFull = fixture.refusal(fixture.events(1, to: id)) else {
            Issue.record("intake goes on without a reserve")
            return
        }
        fixture.upkeep()
        #expect(FileIdentity(fixture.settings.path + ".reserve") != nil)
        try fixture.append(fixture.events(1, to: id))
    }

    @Test func tooLittleFreeDiskRefusesBeforeTheDiskDoes() throws {
        let fixture = try QueueFixture { $0.minFreeDisk = 1 << 60 }
        guard case .diskFull(_, 1 << 60) = fixture.refusal(fixture.events(1, to: fixture.destination())) else {
            Issue.record("not refused")
            return
        }
    }

    @Test(arguments: ["", "-wal"]) func aFileTakenAwayRefusesAppendsAndIsDrained(suffix: String) throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        unlink(fixture.settings.path + suffix)
        #expect(fixture.refusal(fixture.events(1, to: id)) == .tampered(path: fixture.settings.path))
        #expect(fixture.queue.snapshot().isTampered)
        fixture.settle([1], of: id)
        #expect(try fixture.ids(id) == [2, 3])
        #expect(fixture.recorder.notices == [.tampered(path: fixture.settings.path)])
        #expect(fixture.totals.isBalanced)
    }

    @Test func aFileReplacedIsNotWrittenTo() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(3, to: id))
        rename(fixture.settings.path, fixture.settings.path + ".moved")
        try writeFile(fixture.settings.path, [1, 2, 3])
        #expect(fixture.refusal(fixture.events(1, to: id)) == .tampered(path: fixture.settings.path))
        #expect(try fileBytes(fixture.settings.path) == [1, 2, 3])
    }

    @Test func theLogStaysShort() throws {
        let fixture = try QueueFixture { $0.walFrames = 100 }
        let id = fixture.destination()
        for _ in 0..<40 { try fixture.append(fixture.events(10, to: id, bytes: 4000)) }
        let size = FileIdentity(fixture.settings.path + "-wal")?.size ?? 0
        #expect(size < 160 * 4200)
        #expect(try fixture.ids(id).count == 400)
    }

    @Test func anotherProgramsReaderHoldsUpTheLogOnly() throws {
        let fixture = try QueueFixture { $0.walFrames = 40 }
        let id = fixture.destination()
        try fixture.append(fixture.events(1, to: id))
        do {
            let other = try SQLiteConnection(path: fixture.settings.path, flags: SQLITE_OPEN_READONLY)
            try other.execute("BEGIN; SELECT * FROM agent")
            for _ in 0..<10 { try fixture.append(fixture.events(10, to: id, bytes: 4000)) }
            #expect(fixture.queue.writer.file?.walFrames ?? 0 > 100)
            try other.execute("COMMIT")
        }
        for _ in 0..<2 { try fixture.append(fixture.events(10, to: id, bytes: 4000)) }
        #expect(fixture.queue.writer.file?.walFrames ?? 100 < 40)
        #expect(try fixture.ids(id).count == 121)
    }

    @Test func freePagesGoBackWhenIdle() throws {
        let fixture = try QueueFixture()
        let id = fixture.destination()
        try fixture.append(fixture.events(1000, to: id, bytes: 4000))
        fixture.settle(Array(1...1000), of: id)
        for _ in 0..<40 { fixture.upkeep() }
        let size = FileIdentity(fixture.settings.path)?.size ?? 0
        #expect(size < 300 * 4096)
        #expect(fixture.queue.writer.file?.walFrames == 0)
    }

    @Test func warnsOfFileSystemsThatForget() throws {
        guard riskyFileSystem(at: "/dev/shm") == "tmpfs" else { return }
        let recorder = Recorder()
        let path = "/dev/shm/agentd-queue-test-\(getpid()).db"
        defer { for suffix in ["", "-wal", "-shm", ".lock", ".reserve"] { unlink(path + suffix) } }
        var settings = QueueSettings(path: path)
        settings.reserveBytes = 0
        let queue = try EventQueue.open(settings, observer: recorder)
        queue.close()
        #expect(recorder.notices == [.riskyFileSystem(path: path, kind: "tmpfs")])
    }
}
