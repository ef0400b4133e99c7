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
}
