// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Glibc
import Testing

@testable import AgentQueue

/// The queue beside arrays that do the same, step by step, from a seed.
///
/// `QUEUE_MODEL_SEEDS` sets how many seeds are tried, from `QUEUE_MODEL_FIRST_SEED` on.
struct ModelTests {
    @Test(arguments: Seeds.all) func theFileDoesWhatArraysDo(seed: UInt64) throws {
        try Seeds.tell(seed) { () throws -> QueueRun in
            try QueueRun(.init(seed: seed))
        } body: { run in
            var random = SeededGenerator(seed: seed)
            for _ in 0..<120 { try run.perform(.random(run.model, run.ids, &random)) }
            guard run.model.nextID > 100 else { throw Wrong("a short story") }
        }
    }
}

/// Which seeds are tried, and how the one is told that fails.
enum Seeds {
    static let first = UInt64(number("QUEUE_MODEL_FIRST_SEED", 1))
    static let all = first..<first + UInt64(number("QUEUE_MODEL_SEEDS", 12))

    private static func number(_ name: String, _ usual: Int) -> Int {
        getenv(name).flatMap { Int(String(cString: $0)) } ?? usual
    }

    static func tell(_ seed: UInt64, _ make: () throws -> QueueRun, body: (QueueRun) throws -> Void) throws {
        let run = try make()
        do { try body(run) } catch {
            Issue.record("seed \(seed): \(error)\n\(run.trace.suffix(40).joined(separator: "\n"))")
        }
    }
}

extension QueueRun.Rules {
    /// All combinations of limits come up.
    init(seed: UInt64) {
        self.init()
        if seed % 2 == 0 { maxBytes = 60_000 }
        if seed % 3 == 0 { whenFull = .dropOldest } else if seed % 4 < 2 { limits = [9_000, 0, 20_000] }
        if seed % 5 == 0 { durability = .normal }
    }

    /// Few checkpoints, and nothing expires.
    static var long: QueueRun.Rules {
        var rules = QueueRun.Rules()
        rules.walFrames = 700
        rules.maxAgeMS = 1 << 40
        return rules
    }
}
