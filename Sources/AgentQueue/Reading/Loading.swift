// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Which events of a scan are wanted, by the lane of their key.
struct LaneFilter {
    let skipping: LaneSet
    let only: LaneSet?

    /// Looks at the keys where they lie: the key of an event that is skipped is never copied.
    func takes(key: UnsafeRawBufferPointer, hashKey: UnsafeRawBufferPointer) -> Bool {
        guard !skipping.isEmpty || only != nil else { return true }
        guard key.count > 0 else { return only == nil }
        let lane = lane(key: key, hashKey: hashKey)
        return !skipping.contains(lane) && only?.contains(lane) ?? true
    }

    private func lane(key: UnsafeRawBufferPointer, hashKey: UnsafeRawBufferPointer) -> Lane {
        if hashKey.count > 0 {
            let explicit = EventKey(partitionKey: "-", explicitHashKey: String(decoding: hashKey, as: UTF8.self))
            if UInt128(explicit.explicitHashKey) != nil { return explicit.lane }
        }
        return Lane(truncatingIfNeeded: MD5.digest(key) >> 120)
    }
}

/// The answer to a ``LoadRequest`` as it grows.
struct Loading {
    private let request: LoadRequest
    private var events: [StoredEvent] = []
    private var damaged: [EventID] = []
    private var bytes = 0

    init(_ request: LoadRequest) { self.request = request }

    var isScan: Bool {
        if case .scan = request.what { true } else { false }
    }

    /// Takes the row under the statement; `false` where that would be too much.
    ///
    /// Columns: id, key, hash_key, accepted_ms, crc, data.
    mutating func take(_ rows: borrowing SQLiteStatement) -> Bool {
        let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(5))
        let size = row.data.count + row.key.count + row.hashKey.count
        guard events.isEmpty || events.count < request.maxEvents && bytes + size <= request.maxBytes else {
            return false
        }
        let id = EventID(rows.integer(0))
        let stamp = Stamp(id: id, destination: request.destination, acceptedMS: rows.integer(3))
        if row.isWhole(stamp, rows, column: 4) {
            events.append(StoredEvent(row, id: id, acceptedMS: rows.natural(3)))
            bytes += size
        } else {
            damaged.append(id)
        }
        return true
    }

    func loaded(through: EventID) -> LoadedEvents {
        LoadedEvents(destination: request.destination, events: events, through: through, damaged: damaged)
    }
}
