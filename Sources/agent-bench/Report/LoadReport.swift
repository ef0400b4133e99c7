// SPDX-License-Identifier: Apache-2.0

/// The figures of one run of load. What cannot be known of an agent that was running before is `nil`.
struct LoadReport: Encodable {
    let run: String
    let keys: Int
    let connections: Int
    let eventsPerRequest: Int
    let eventBytes: Int
    let durability: String?
    let events: Int
    let seconds: Double
    /// Until acknowledged.
    let acknowledgedPerSecond: Double
    /// Until Kinesis had them all.
    let deliveredPerSecond: Double?
    /// Of the agent's process alone, user and system, until it was drained.
    let agentCpuMicrosecondsPerEvent: Double?
    let agentSystemMicrosecondsPerEvent: Double?
    let kinesisCpuMicrosecondsPerEvent: Double?
    let acknowledgementP50Milliseconds: Double
    let acknowledgementP99Milliseconds: Double
    let acknowledgementMaxMilliseconds: Double
    let peakResidentBytes: Int?
    /// Of the disk itself, measured before the run.
    let fdatasyncP50Milliseconds: Double?
    let fdatasyncP99Milliseconds: Double?

    static let columns = [
        Column("run", 20, toLeft: true), Column("events", 10), Column("events/s", 10), Column("deliv./s", 10),
        Column("CPU µs/ev", 10), Column("of it sys", 10), Column("ack p50 ms", 11), Column("p99 ms", 8),
        Column("peak MiB", 9), Column("fdatasync p50/p99 ms", 21), Column("kinesis µs/ev", 14),
    ]

    var cells: [String] {
        func text(_ value: Double?, _ digits: Int) -> String { value.map { Text.fixed($0, digits) } ?? "-" }
        return [
            run, Text.grouped(events), Text.grouped(acknowledgedPerSecond),
            deliveredPerSecond.map { Text.grouped($0) } ?? "-",
            text(agentCpuMicrosecondsPerEvent, 2), text(agentSystemMicrosecondsPerEvent, 2),
            text(acknowledgementP50Milliseconds, 2), text(acknowledgementP99Milliseconds, 2),
            peakResidentBytes.map(Text.mebibytes) ?? "-",
            "\(text(fdatasyncP50Milliseconds, 2))/\(text(fdatasyncP99Milliseconds, 2))",
            text(kinesisCpuMicrosecondsPerEvent, 2),
        ]
    }
}
