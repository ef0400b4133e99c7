// SPDX-License-Identifier: Apache-2.0

/// How much of a destination may be under way at once, where requests were too large to come through.
///
/// Halved with each that was, down to one record in one request: so every link that carries a record within the time
/// allowed makes progress. It grows again with requests that come through; after a time-out with those that took less
/// than half as long as the last one that was cut off, so that it does not grow right back to where it failed.
struct BatchLimit {
    /// `nil`: nothing but the settings holds.
    private(set) var records: Int?
    private(set) var bytes = Int.max
    private(set) var requests = Int.max
    /// How long the last request took that was cut off; `nil`: it failed for another reason than time.
    private var cutAfter: Duration?
    private var successes = 0

    private static let successesPerRequest = 4
    /// Where nothing but another failure tells that it grew too much.
    private static let successesPerDoubling = 4

    /// A request of so many records and bytes failed while `underWay` ran. `duration`: after how long it was cut off,
    /// where it took too long.
    mutating func failed(records sent: Int, bytes sentBytes: Int, underWay: Int, cutAfter duration: Duration?) {
        records = max(1, min(records ?? sent, sent) / 2)
        bytes = max(1, min(bytes, sentBytes) / 2)
        requests = max(1, min(requests, underWay) / 2)
        cutAfter = duration
        successes = 0
    }

    /// A request came through after `duration`.
    mutating func succeeded(after duration: Duration, settings: DeliverySettings) {
        guard let records else { return }
        if let cutAfter, duration >= cutAfter / 2 { return }
        successes += 1
        if cutAfter == nil, successes % Self.successesPerDoubling != 0 { return }
        self.records = records * 2
        bytes = bytes.multipliedReportingOverflow(by: 2).overflow ? .max : bytes * 2
        if successes % Self.successesPerRequest == 0, requests < .max { requests += 1 }
        if records * 2 >= KinesisLimits.recordsPerRequest, bytes >= settings.maxBatchBytes,
            requests >= settings.workersOfOne
        {
            self = BatchLimit()
        }
    }

    func mostRecords(_ most: Int) -> Int { min(most, records ?? most) }
    func mostBytes(_ most: Int) -> Int { min(most, bytes) }
    func mostRequests(_ most: Int) -> Int { min(most, requests) }
}
