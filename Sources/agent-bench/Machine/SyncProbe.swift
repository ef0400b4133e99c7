// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What the disk itself takes for a commit: the floor under every acknowledgement.
enum SyncProbe {
    private static let blockBytes = 16 << 10

    /// Latencies of writing 16 KiB behind the last write and syncing it, in a file of its own.
    static func measure(in directory: ScratchDirectory, times: Int = 200) throws(BenchError) -> Histogram {
        let path = directory.file("sync-probe")
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(call: "open", object: path, errno: errno) }
        defer {
            close(descriptor)
            unlink(path)
        }
        var latencies = Histogram()
        let block = [UInt8](repeating: 0x5a, count: blockBytes)
        // A WAL is written over and over, so the blocks that are measured are there already.
        for pass in 0..<2 {
            for index in 0..<times {
                let start = Monotonic.now()
                let written = pwrite(descriptor, block, block.count, off_t(index * block.count))
                guard written == block.count else { throw .system(call: "write", object: path, errno: errno) }
                if pass == 0 && index + 1 < times { continue }
                guard fdatasync(descriptor) == 0 else { throw .system(call: "fdatasync", object: path, errno: errno) }
                if pass == 1 { latencies.record(Monotonic.now() - start) }
            }
        }
        return latencies
    }
}
