// SPDX-License-Identifier: Apache-2.0

/// The records of one shard, oldest first, in segments of about 1 MiB so that the oldest can be let go.
struct ShardLog {
    struct Entry {
        /// The server's number of the record: grows with every record that any shard stored.
        let ordinal: UInt64
        let arrivalMS: Int64
        let start: Int32
        let keyBytes: Int32
        let dataBytes: Int32
    }

    private struct Segment {
        var bytes: [UInt8] = []
        var entries: [Entry] = []
    }

    static let segmentBytes = 1 << 20

    private var segments: [Segment] = []
    /// Keys and data that are kept, in bytes.
    private(set) var bytes = 0
    /// Records that are kept.
    private(set) var count = 0

    /// Ordinals must grow.
    mutating func append(ordinal: UInt64, arrivalMS: Int64, key: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer) {
        let size = key.count + data.count
        if segments.last.map({ $0.bytes.count + size > Self.segmentBytes }) ?? true {
            segments.append(Segment())
            segments[segments.count - 1].bytes.reserveCapacity(min(size, Self.segmentBytes))
        }
        let last = segments.count - 1
        let start = segments[last].bytes.count
        segments[last].bytes.append(contentsOf: key)
        segments[last].bytes.append(contentsOf: data)
        segments[last].entries.append(
            Entry(
                ordinal: ordinal,
                arrivalMS: arrivalMS,
                start: Int32(truncatingIfNeeded: start),
                keyBytes: Int32(truncatingIfNeeded: key.count),
                dataBytes: Int32(truncatingIfNeeded: data.count)
            )
        )
        bytes += size
        count += 1
    }

    /// Lets whole segments go, oldest first, until at most `limit` bytes are kept or one segment is left.
    mutating func trim(to limit: Int) {
        var drop = 0
        while bytes > limit, drop < segments.count - 1 {
            bytes -= segments[drop].bytes.count
            count -= segments[drop].entries.count
            drop += 1
        }
        if drop > 0 { segments.removeFirst(drop) }
    }

    struct Record {
        let ordinal: UInt64
        let arrivalMS: Int64
        let key: UnsafeRawBufferPointer
        let data: UnsafeRawBufferPointer
    }

    /// Calls `body` with the records whose ordinal is at least `ordinal`, in order, until it returns `false`. The
    /// pointers are valid during the call only.
    func forEach(from ordinal: UInt64, _ body: (Record) -> Bool) {
        let first = partition(segments.count) { (segments[$0].entries.last?.ordinal ?? 0) >= ordinal }
        for segment in segments[first...] {
            let start = partition(segment.entries.count) { segment.entries[$0].ordinal >= ordinal }
            let goOn = segment.bytes.withUnsafeBytes { all in
                for entry in segment.entries[start...] {
                    let keyStart = Int(entry.start)
                    let dataStart = keyStart + Int(entry.keyBytes)
                    let record = Record(
                        ordinal: entry.ordinal,
                        arrivalMS: entry.arrivalMS,
                        key: UnsafeRawBufferPointer(rebasing: all[keyStart..<dataStart]),
                        data: UnsafeRawBufferPointer(rebasing: all[dataStart..<dataStart + Int(entry.dataBytes)])
                    )
                    if !body(record) { return false }
                }
                return true
            }
            if !goOn { return }
        }
    }

    /// The first record at or after `ordinal`, and when it arrived.
    func first(from ordinal: UInt64) -> Entry? {
        let segment = partition(segments.count) { (segments[$0].entries.last?.ordinal ?? 0) >= ordinal }
        guard segment < segments.count else { return nil }
        let entries = segments[segment].entries
        let index = partition(entries.count) { entries[$0].ordinal >= ordinal }
        return index < entries.count ? entries[index] : nil
    }

    /// The first record that arrived at or after a time.
    func first(arrivedFromMS time: Int64) -> Entry? {
        let segment = partition(segments.count) { (segments[$0].entries.last?.arrivalMS ?? 0) >= time }
        guard segment < segments.count else { return nil }
        return segments[segment].entries.first { $0.arrivalMS >= time }
    }

    /// The first index of 0..<count for which `holds` is true; it must not become false again after that.
    private func partition(_ count: Int, _ holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
