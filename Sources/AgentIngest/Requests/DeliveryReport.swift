// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// What a client is told that preferred to wait for the delivery of its events: of each in its order what became of it.
///
/// 200: Kinesis has all of them. 422: some never get there. Else 202: some are in the queue.
struct DeliveryReport {
    private let events: StoredEvents

    init(_ events: StoredEvents) { self.events = events }

    func reply(_ waited: TimeAmount, _ context: ReplyContext, to buffer: inout ByteBuffer) {
        var isWhole = true
        var isLost = false
        var records: [UInt8] = []
        for index in 0..<events.count {
            if index > 0 { records.append(UInt8(ascii: ",")) }
            let members: [(String, Reply.Value)]
            switch events.delivery(of: index) {
            case nil:
                isWhole = false
                members = [("status", .text("queued"))]
            case .delivered(let number, let shard):
                members = [("sequence_number", .text(number)), ("shard_id", .text(shard))]
            case .deadLettered(let code, let reason):
                isLost = true
                members = [("status", .text("dead_lettered")), ("error", .text(code)), ("message", .text(reason))]
            case .dropped:
                isLost = true
                members = [("status", .text("dropped")), ("message", .text(Reply.dropped))]
            }
            records += Reply.object(members)
        }
        let first = events.first.rawValue
        var body = Array("{\"accepted\":\(events.count),\"first_id\":\(first),".utf8)
        body += "\"last_id\":\(first + Int64(events.count) - 1),\"records\":[".utf8
        body += records
        body += "]}".utf8
        // RFC 7240, section 3.
        let applied = ("Preference-Applied", "wait=\(waited.nanoseconds / 1_000_000_000)")
        Reply.json(body, isLost ? 422 : isWhole ? 200 : 202, context, fields: [applied], to: &buffer)
    }
}
