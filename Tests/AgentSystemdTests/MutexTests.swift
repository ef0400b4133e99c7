// SPDX-License-Identifier: Apache-2.0

import AgentSystemd
import Dispatch
import Glibc
import Synchronization
import Testing

/// What ThreadSanitizer is told of a lock that threads wait for; without it, this is reported as a race.
@Suite struct MutexTests {
    private final class Counted: Sendable {
        let counts = Mutex([String: Int]())
    }

    @Test func aMutexThatThreadsWaitForGuardsWhatItHolds() {
        let counted = Counted()
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<50 {
                counted.counts.withLock { counts in
                    counts["\(round % 3)", default: 0] += 1
                    usleep(100)
                }
            }
        }
        #expect(counted.counts.withLock { $0.values.reduce(0, +) } == 200)
    }
}
