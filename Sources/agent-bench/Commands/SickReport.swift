// SPDX-License-Identifier: Apache-2.0

/// What one kind of sick streams cost a healthy one and the agent.
struct SickReport: Encodable {
    let run: String
    let sickStreams: Int
    let sickEvents: Int
    /// Of the healthy stream, until Kinesis had them all: before there were sick ones, and beside them.
    let alonePerSecond: Double
    let besidePerSecond: Double
    let share: Double
    /// The rest is measured while the healthy stream has nothing to do, but for requests and the peak.
    ///
    /// Of a core, user and system.
    let agentCpuShare: Double
    let agentReadBytesPerSecond: Double
    /// To the endpoint of the sick ones, in the two seconds from their first event on, and in all until they recovered.
    let requestsInTwoSeconds: Int?
    let requests: Int?
    /// Of the shard that is well; `nil`: there is none.
    let healthyShardPerSecond: Double?
    /// Records that were throttled at it, of all that were sent to it.
    let healthyShardWasted: Double?
    let peakResidentBytes: Int
    /// From the end of the trouble until all was delivered; `nil`: not in the time that was given.
    let recoveredSeconds: Double?

    static let columns = [
        Column("sick", 9, toLeft: true), Column("streams", 7), Column("events", 8), Column("alone/s", 8),
        Column("beside/s", 8), Column("share", 7), Column("CPU %", 6), Column("read MiB/s", 10),
        Column("requests 2 s", 12), Column("in all", 7), Column("other shard/s", 13), Column("wasted", 7),
        Column("peak MiB", 8), Column("recovered s", 11),
    ]

    var cells: [String] {
        func percent(_ value: Double?) -> String { value.map { Text.fixed($0 * 100, 1) + " %" } ?? "-" }
        return [
            run, Text.grouped(sickStreams), Text.grouped(sickEvents), Text.grouped(alonePerSecond),
            Text.grouped(besidePerSecond), percent(share), Text.fixed(agentCpuShare * 100, 1),
            Text.mebibytes(Int(agentReadBytesPerSecond)), requestsInTwoSeconds.map { Text.grouped($0) } ?? "-",
            requests.map { Text.grouped($0) } ?? "-", healthyShardPerSecond.map { Text.grouped($0) } ?? "-",
            percent(healthyShardWasted), Text.mebibytes(peakResidentBytes),
            recoveredSeconds.map { Text.fixed($0, 1) } ?? "-",
        ]
    }
}
