// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Glibc
import Testing

@testable import AgentQueue

/// The laws of the writer, from many seeds: what was acknowledged is there after any crash, what was refused is not,
/// nobody is answered twice, no id is given twice, and whenever the disk works again, so does the queue.
///
/// `WRITER_SEEDS` says how many, `WRITER_FIRST_SEED` from where. What happened in the first that fails is printed.
struct WriterSimulationTests {
    private static func environment(_ name: String, default value: UInt64) -> UInt64 {
        getenv(name).flatMap { UInt64(String(cString: $0)) } ?? value
    }

    @Test func lawsHoldFromEverySeed() {
        let first = Self.environment("WRITER_FIRST_SEED", default: 1)
        let count = Self.environment("WRITER_SEEDS", default: 1000)
        for seed in first..<first + count {
            guard let law = WriterRun(WriterScenario(seed: seed)).run() else { continue }
            Issue.record("seed \(seed): \(law)")
            let again = WriterRun(WriterScenario(seed: seed), keepsTrace: true)
            _ = again.run()
            print("seed \(seed)\n\(again.trace?.suffix(80).joined(separator: "\n") ?? "")\n\(law)")
            return
        }
    }
}
