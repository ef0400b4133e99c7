// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc

/// Where the queue gets its time from.
public struct QueueClocks: Sendable {
    /// Milliseconds since 1970.
    public let wallMS: @Sendable () -> Int64
    /// Nanoseconds since boot, time asleep included.
    public let uptimeNS: @Sendable () -> Int64
    /// Whether the wall clock is kept right by something: NTP, PTP, a GPS.
    public let isWallTrusted: @Sendable () -> Bool
    /// Differs after each boot; empty where unknown.
    public let boot: String

    public init(
        wallMS: @escaping @Sendable () -> Int64,
        uptimeNS: @escaping @Sendable () -> Int64,
        isWallTrusted: @escaping @Sendable () -> Bool,
        boot: String
    ) {
        self.wallMS = wallMS
        self.uptimeNS = uptimeNS
        self.isWallTrusted = isWallTrusted
        self.boot = boot
    }

    /// The machine's.
    public static let system = QueueClocks(
        wallMS: { read(CLOCK_REALTIME) / 1_000_000 },
        uptimeNS: { read(CLOCK_BOOTTIME) },
        isWallTrusted: { agent_clock_is_synchronized() != 0 },
        boot: readSmallFile("/proc/sys/kernel/random/boot_id") ?? ""
    )

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
