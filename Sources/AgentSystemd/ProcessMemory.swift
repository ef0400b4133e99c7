// SPDX-License-Identifier: Apache-2.0
internal import CSystemd
internal import Glibc

/// How this process uses memory.
public enum ProcessMemory {
    /// Lets malloc have at most `count` arenas: mallopt(3), M_ARENA_MAX. To be called before threads are started.
    public static func limitArenas(to count: Int32) { agent_limit_arenas(count) }

    /// Has blocks of so many bytes and more go back to the system as soon as they are free: mallopt(3),
    /// M_MMAP_THRESHOLD. Left alone, malloc keeps them once one was freed, whatever each of them was used for.
    public static func mapBlocks(from bytes: Int32) { _ = agent_map_blocks(bytes) }

    /// Gives free memory back to the system: malloc_trim(3). Takes up to a few milliseconds.
    public static func giveBack() { agent_trim_heap() }

    /// Takes the pages of code out of this process's memory; those that are used come back, from the system's copy of
    /// the file, as they are used. For when the start is over, which needed much code that nothing needs again: some
    /// 10 MiB on amd64.
    public static func unmapCode() {
        guard let maps = fopen("/proc/self/maps", "re") else { return }
        defer { fclose(maps) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        // proc_pid_maps(5): begin-end, permissions, offset, device, inode, file. Such code is nowhere written to.
        while getline(&line, &capacity, maps) > 0, let line {
            let fields = String(cString: line).split(separator: " ", omittingEmptySubsequences: true)
            let range = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard fields.count > 5, fields[1] == "r-xp", fields[5].first == "/", range.count == 2, range[0] < range[1]
            else { continue }
            _ = madvise(UnsafeMutableRawPointer(bitPattern: range[0]), Int(range[1] - range[0]), MADV_DONTNEED)
        }
    }
}
