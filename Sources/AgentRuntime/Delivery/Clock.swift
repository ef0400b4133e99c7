// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Glibc

extension Instant {
    /// The monotonic clock of this machine, which does not count time asleep: clock_gettime(2), CLOCK_MONOTONIC.
    static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
