// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The laws of delivery, from many seeds.
///
/// `SIMULATION_SEEDS` says how many, `SIMULATION_FIRST_SEED` from where. A seed that fails prints itself; run it alone
/// with `SIMULATION_FIRST_SEED=<seed> SIMULATION_SEEDS=1` to read its trace.
struct SimulationTests {
    static func environment(_ name: String, default value: UInt64) -> UInt64 {
        getenv(name).flatMap { UInt64(String(cString: $0)) } ?? value
    }

    @Test func aSeedSaysAllOfARun() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let runs = (0..<2).map { _ in Simulation(Scenario(seed: seed)) }
            for run in runs { _ = run.run() }
            #expect(runs[0].summary.digest == runs[1].summary.digest, "seed \(seed)")
            #expect(runs[0].summary.requests == runs[1].summary.requests)
        }
    }

    @Test func lawsHoldFromEverySeed() async {
        let first = Self.environment("SIMULATION_FIRST_SEED", default: 1)
        let count = Self.environment("SIMULATION_SEEDS", default: 300)
        let most = Self.environment("SIMULATION_FAILURES", default: 10)
        let failures = await withTaskGroup(of: [String].self) { group in
            for part in 0..<2 as Range<UInt64> {
                group.addTask {
                    var failures: [String] = []
                    for seed in first..<first + count where seed % 2 == part && failures.count < most {
                        if let violation = Simulation(Scenario(seed: seed)).run() {
                            failures.append("seed \(seed): \(violation)")
                        }
                    }
                    return failures
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        for failure in failures { Issue.record("\(failure)") }
        if count == 1, !failures.isEmpty {
            let simulation = Simulation(Scenario(seed: first), keepsTrace: true)
            _ = simulation.run()
            print(Trace.text(simulation.scenario))
            print(simulation.trace.joined(separator: "\n"))
        }
    }
}
