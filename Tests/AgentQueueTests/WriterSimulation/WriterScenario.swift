// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// What happens to the disk under a writer, all of it from a seed.
struct WriterScenario {
    enum Fault: CaseIterable {
        /// A transaction fails before its COMMIT.
        case write
        /// A COMMIT fails, and may be stored or not.
        case commit
        /// A failed COMMIT, or a failed opening, takes what was not synced with it.
        case forgets
        case open
        /// The file is found damaged, and stays so.
        case damage
        case replace
        case unreadable
        case full
        case busy
        /// Another program keeps the WAL from being started anew.
        case pinned
    }

    struct Weather {
        let fault: Fault
        let from: Int64
        let until: Int64
        let probability: Double
    }

    let seed: UInt64
    let weather: [Weather]
    /// From here on the disk works, in milliseconds.
    let calmMS: Int64
    /// The file is moved away then.
    let movedMS: Int64?
    let hasReserve: Bool
    let minFreeDisk: Int64
    let crashes: Bool
    /// Damage is met when the file is opened, not only when it is written.
    let openingFindsDamage: Bool
    /// Nothing is left of a COMMIT that fails.
    let losesFailedCommits: Bool

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        self.seed = seed
        func chance(_ odds: Int) -> Bool { Int.random(in: 0..<odds, using: &random) == 0 }
        let calm: Int64 = 20_000
        calmMS = calm
        var weather: [Weather] = []
        for fault in Fault.allCases where chance(2) {
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let from = Int64.random(in: 0..<calm, using: &random)
                let length = Int64.random(in: 1...(chance(3) ? calm : 2000), using: &random)
                let probability = chance(3) ? 1 : Double.random(in: 0.02..<0.6, using: &random)
                weather.append(
                    Weather(fault: fault, from: from, until: min(calm, from + length), probability: probability)
                )
            }
        }
        self.weather = weather
        movedMS = chance(8) ? Int64.random(in: 0..<calm, using: &random) : nil
        hasReserve = !chance(4)
        minFreeDisk = chance(2) ? 0 : 100
        crashes = !chance(3)
        losesFailedCommits = chance(3)
        openingFindsDamage = chance(2)
    }
}
