// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How many files and sockets this process may have open: getrlimit(2), RLIMIT_NOFILE.
public struct DescriptorLimit: Sendable, Equatable {
    /// What holds.
    public let soft: Int
    /// What the soft limit may be raised to.
    public let hard: Int

    public init(soft: Int, hard: Int) {
        self.soft = soft
        self.hard = hard
    }

    /// `nil` where the system does not say.
    public static var current: DescriptorLimit? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return DescriptorLimit(soft: Int(clamping: limit.rlim_cur), hard: Int(clamping: limit.rlim_max))
    }

    /// Sets the soft limit of this process, and returns what it is then.
    public static func setSoft(_ soft: Int) -> Int? {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return nil }
        limit.rlim_cur = min(rlim_t(soft), limit.rlim_max)
        _ = setrlimit(resource, &limit)
        return current?.soft
    }

    /// How many are open now.
    public static var inUse: Int {
        guard let folder = opendir("/proc/self/fd") else { return 3 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without ".", ".." and the folder itself.
        return max(0, count - 3)
    }
}
