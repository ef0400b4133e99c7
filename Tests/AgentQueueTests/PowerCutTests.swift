// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

/// The power goes in the middle of a write, and what was not synced is kept, lost or torn: whatever was acknowledged
/// is there, and the rest is as some commit since the last sync left it.
struct PowerCutTests {
    /// Six lives of one queue, each ended by a power cut; some cuts come while the file is being opened after another.
    @Test(arguments: Seeds.all) func whatWasAcknowledgedSurvives(seed: UInt64) throws {
        try Seeds.tell(seed) { () throws -> QueueRun in
            try QueueRun(.init(seed: seed))
        } body: { run in
            var random = SeededGenerator(seed: seed &* 31)
            for _ in 0..<6 {
                run.vfs.cutPower(after: Int.random(in: 0..<250, using: &random))
                while !run.vfs.isOff { try run.perform(.random(run.model, run.ids, &random)) }
                try run.turnOn(seed: random.next(), interrupted: Int.random(in: 0..<3, using: &random))
            }
        }
    }

    /// A long queue that is emptied: a checkpoint of all its pages, and then the free ones go back, slice by slice.
    /// The power goes at each of some places on the way.
    @Test(arguments: Seeds.all) func checkpointsAndReturnedPagesLoseNothing(seed: UInt64) throws {
        try Seeds.tell(seed) { () throws -> QueueRun in
            try QueueRun(.long)
        } body: { run in
            var random = SeededGenerator(seed: seed)
            let id = run.ids[0]
            let large = (0..<150).map { index in
                NewEvent(destination: id, key: .none, data: Payload([UInt8](repeating: UInt8(index), count: 13_000)))
            }
            for part in 0..<3 { try run.perform(.work(appending: [Array(large[part * 50..<part * 50 + 50])])) }
            let most = Int64.random(in: 140...150, using: &random)
            let settled = (1...most).map { EventID($0 + 3) }
            // What happens from here on makes some hundreds of changes, most of them of the checkpoints.
            run.vfs.cutPower(after: Int.random(in: 0..<900, using: &random))
            try run.perform(.work(settling: [Settlement(destination: id, ids: settled)]))
            for _ in 0..<4 where !run.vfs.isOff { try run.perform(.pass(milliseconds: 1)) }
            if !run.vfs.isOff { run.vfs.cutPower() }
            try run.turnOn(seed: random.next(), interrupted: Int.random(in: 0..<3, using: &random))
            try run.perform(.work(appending: [Array(large[..<5])]))
        }
    }

    /// The power goes while the file is made.
    @Test(arguments: Seeds.all) func aFileThatIsBeingMadeIsMadeAnew(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for changes in stride(from: Int(seed % 4), to: 45, by: 4) {
            let (vfs, folder) = (FaultVFS(), TemporaryFolder())
            vfs.cutPower(after: changes)
            // Whether it got so far or not: nothing was promised.
            _ = try? QueueFixture(folder: folder) { $0.vfs = vfs.name }
            let next = TemporaryFolder()
            for (name, bytes) in vfs.survivors(seed: random.next()) { try writeFile("\(next.path)/\(name)", bytes) }
            try writeLock(next)
            vfs.retire()
            let fixture = try QueueFixture(folder: next) { $0.vfs = FaultVFS().name }
            let aside = next.names().filter { $0.contains("damaged") }
            #expect(aside.isEmpty, "seed \(seed), change \(changes)")
            #expect(try fixture.append(fixture.events(1, to: fixture.destination())) == EventID(1))
        }
    }

    /// Syncs and writes that fail now and then, and a power cut after them: the system has taken what it could not
    /// write for clean, so that no later sync writes it.
    @Test(arguments: Seeds.all) func failedSyncsLeaveNoHoles(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3 {
            let vfs = FaultVFS(seed: random.next())
            let story = FaultStory(vfs)
            vfs.set { plan in
                for call in [FaultVFS.Call.sync, .write, .truncate] {
                    let odds = call == .write ? 80 : 10
                    plan.scattered[call] = Set((0..<400).filter { _ in Int.random(in: 0..<odds, using: &random) == 0 })
                }
            }
            do {
                try story.tell()
                try story.settleAccounts()
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }
}
