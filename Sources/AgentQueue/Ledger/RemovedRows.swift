// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Rows of one destination that are gone now.
struct RemovedRows: Sendable {
    var count = 0
    /// As the quota counts them.
    var bytes: Int64 = 0
    /// The lowest and the highest id among them.
    var first = EventID.zero
    var through = EventID.zero

    /// - Parameter id: Higher than all before.
    mutating func add(_ id: EventID, bytes: Int64) {
        if count == 0 { first = id }
        through = id
        count += 1
        self.bytes += bytes
    }

    /// - Parameter rows: Higher than all before.
    mutating func add(_ rows: RemovedRows) {
        guard rows.count > 0 else { return }
        if count == 0 { first = rows.first }
        through = rows.through
        count += rows.count
        bytes += rows.bytes
    }
}
