// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Since when the disk does not give what is in the file: by destination, and for the writer itself, which is `nil`.
struct Patience {
    let limitNS: Int64
    private var since: [DestinationID?: Int64] = [:]

    init(limitNS: Int64) { self.limitNS = limitNS }

    var isEmpty: Bool { since.isEmpty }

    /// Whether that has lasted too long.
    mutating func failed(_ id: DestinationID?, nowNS: Int64) -> Bool {
        let first = since[id] ?? nowNS
        since[id] = first
        return nowNS - first >= limitNS
    }

    /// Whether nothing is left that the disk does not give.
    mutating func recovered(_ id: DestinationID?) -> Bool {
        since.removeValue(forKey: id) != nil && since.isEmpty
    }

    /// Whether there was anything.
    mutating func forget() -> Bool {
        defer { since = [:] }
        return !since.isEmpty
    }
}
