// SPDX-License-Identifier: Apache-2.0
import AgentCore

// Numbers of the file, and those that operators name, are checked for their range before anything is calculated with
// them: SQLite has no checksums, and a bit that flips makes any number of any other.

extension EventID {
    /// Ids have to be exact in JSON.
    static let plausible: ClosedRange<Int64> = 1...1 << 53

    /// The next one, whatever this is.
    var successor: EventID { EventID(rawValue == .max ? .max : rawValue + 1) }
    var predecessor: EventID { EventID(rawValue == .min ? .min : rawValue - 1) }
}

extension DestinationID {
    static let plausible: ClosedRange<Int64> = 1...1 << 53
}
