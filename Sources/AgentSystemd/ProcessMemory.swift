// SPDX-License-Identifier: Apache-2.0
internal import CSystemd

/// How this process uses memory.
public enum ProcessMemory {
    /// Lets malloc have at most `count` arenas: mallopt(3), M_ARENA_MAX. To be called before threads are started.
    public static func limitArenas(to count: Int32) { agent_limit_arenas(count) }
}
