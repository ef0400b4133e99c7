// SPDX-License-Identifier: Apache-2.0
internal import CSystemd

/// How this process uses memory.
public enum ProcessMemory {
    /// Lets malloc have at most `count` arenas: mallopt(3), M_ARENA_MAX. To be called before threads are started.
    public static func limitArenas(to count: Int32) { agent_limit_arenas(count) }

    /// Has blocks of so many bytes and more go back to the system as soon as they are free: mallopt(3),
    /// M_MMAP_THRESHOLD. Left alone, malloc keeps them once one was freed, whatever each of them was used for.
    public static func mapBlocks(from bytes: Int32) { _ = agent_map_blocks(bytes) }

    /// Gives free memory back to the system: malloc_trim(3). Takes up to a few milliseconds.
    public static func giveBack() { agent_trim_heap() }
}
