// SPDX-License-Identifier: Apache-2.0

/// Which of a request's events each of its records carries: events stand in the order of the records, and a record
/// has one or more of them, all of one key.
public struct RecordShape: Sendable {
    /// Where the events of each record end; `nil`: each record has one event.
    private let ends: [Int]?
    public let records: Int

    /// One event a record.
    public init(oneEach events: Int) {
        ends = nil
        records = events
    }

    /// - Parameter counts: The events of each record, 1 or more.
    public init(counts: [Int]) {
        var end = 0
        ends = counts.map { count in
            precondition(count > 0)
            end += count
            return end
        }
        records = counts.count
    }

    /// The places of the record's events.
    public func events(of record: Int) -> Range<Int> {
        guard let ends else { return record..<record + 1 }
        return (record == 0 ? 0 : ends[record - 1])..<ends[record]
    }
}
