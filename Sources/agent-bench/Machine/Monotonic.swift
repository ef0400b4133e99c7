// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Nanoseconds of the monotonic clock.
enum Monotonic {
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    static func seconds(since start: UInt64) -> Double { Double(now() - start) / 1e9 }

    static func after(seconds: Double) -> UInt64 { now() + UInt64(max(0, seconds) * 1e9) }

    /// A pause between two looks at something that another process does.
    static func pause(milliseconds: Int) throws(BenchError) {
        usleep(UInt32(clamping: milliseconds * 1000))
        try Interruption.check()
    }
}
