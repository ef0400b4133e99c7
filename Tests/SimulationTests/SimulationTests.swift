// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The laws of delivery, from many seeds.
///
/// `SIMULATION_SEEDS` says how many, `SIMULATION_FIRST_SEED` from where. Seeds that fail are named, and what happened
/// last in the first of them is printed, `SIMULATION_TRACE` lines of it: all, where it runs alone.
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
        let failures = await withTaskGroup(of: [(seed: UInt64, law: String)].self) { group in
            for part in 0..<2 as Range<UInt64> {
                group.addTask {
                    var failures: [(seed: UInt64, law: String)] = []
                    for seed in first..<first + count where seed % 2 == part && failures.count < most {
                        if let law = Simulation(Scenario(seed: seed)).run() { failures.append((seed, law)) }
                    }
                    return failures
                }
            }
            return await group.reduce(into: []) { $0 += $1 }.sorted { $0.seed < $1.seed }
        }
        for failure in failures { Issue.record("seed \(failure.seed): \(failure.law)") }
        let lines = Self.environment("SIMULATION_TRACE", default: count == 1 ? 1_000_000 : 100)
        if lines > 0, let worst = failures.first { Self.printTrace(of: worst.seed, lines: Int(lines)) }
    }

    private static func printTrace(of seed: UInt64, lines: Int) {
        let simulation = Simulation(Scenario(seed: seed), keepsTrace: true)
        let law = simulation.run() ?? "no law is broken"
        print("seed \(seed)\n\(Trace.text(simulation.scenario))")
        if lines < simulation.trace.count {
            print("… all of it: SIMULATION_FIRST_SEED=\(seed) SIMULATION_SEEDS=1")
        }
        print(simulation.trace.suffix(lines).map { String($0.prefix(400)) }.joined(separator: "\n"))
        print("seed \(seed): \(law)")
    }
}
