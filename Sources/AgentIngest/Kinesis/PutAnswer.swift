// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The answers of PutRecord and PutRecords.
enum PutAnswer<Writer: AmazonWriter> {
    /// Of events that are in the queue: an event's id is its sequence number.
    static func buffered(_ events: StoredEvents, _ operation: KinesisOperation) -> [UInt8] {
        var writer = Writer(capacity: events.count * 64 + 64)
        guard operation == .putRecords else {
            entry(events.first, to: &writer)
            return writer.bytes
        }
        begin(&writer, failed: 0)
        for index in 0..<events.count { entry(events.id(of: index), to: &writer) }
        end(&writer)
        return writer.bytes
    }

    /// Of events that should be with Kinesis by now: each is answered for itself.
    static func delivered(_ events: StoredEvents) -> [UInt8] {
        var writer = Writer(capacity: events.count * 128 + 64)
        let failed = (0..<events.count).count { index in
            if case .delivered = events.delivery(of: index) { false } else { true }
        }
        begin(&writer, failed: failed)
        for index in 0..<events.count {
            switch delivered(events.delivery(of: index)) {
            case .success(let entry): entry.write(to: &writer)
            case .failure(let fault):
                writer.beginObject()
                writer.member("ErrorCode", fault.exception ?? "InternalFailure")
                writer.member("ErrorMessage", fault.message)
                writer.endObject()
            }
        }
        end(&writer)
        return writer.bytes
    }

    /// Of PutRecord: the same, of its one event.
    static func deliveredRecord(_ events: StoredEvents) throws(Refusal) -> [UInt8] {
        let entry = try delivered(events.delivery(of: 0)).get()
        var writer = Writer(capacity: 128)
        entry.write(to: &writer)
        return writer.bytes
    }

    private struct Entry {
        let sequenceNumber: String
        let shard: String

        func write(to writer: inout Writer) {
            writer.beginObject()
            writer.member("SequenceNumber", sequenceNumber)
            writer.member("ShardId", shard)
            writer.endObject()
        }
    }

    /// What Kinesis said of an event, or why the client does not learn it.
    private static func delivered(_ outcome: DeliveryNotice.Outcome?) -> Result<Entry, Refusal> {
        switch outcome {
        case .delivered(let number, let shard): .success(Entry(sequenceNumber: number, shard: shard))
        case nil:
            .failure(
                .kinesis(
                    "InternalFailure",
                    "Kinesis has not confirmed the record in time (listen.put_wait). It may yet be delivered.",
                    status: 500
                )
            )
        case .deadLettered(let code, let reason):
            .failure(.invalidArgument("The record is in the agent's dead letters (\(code)): \(reason)"))
        case .dropped:
            .failure(
                .kinesis(
                    "InternalFailure",
                    "The record was removed by queue.max_age or queue.when_full before it was delivered.",
                    status: 500
                )
            )
        }
    }

    private static func entry(_ id: EventID, to writer: inout Writer) {
        writer.beginObject()
        writer.name("SequenceNumber")
        writer.digits(id.rawValue)
        writer.name("ShardId")
        writer.word("buffered")
        writer.endObject()
    }

    private static func begin(_ writer: inout Writer, failed: Int) {
        writer.beginObject()
        writer.member("FailedRecordCount", Int64(failed))
        writer.name("Records")
        writer.beginList()
    }

    private static func end(_ writer: inout Writer) {
        writer.endList()
        writer.endObject()
    }
}
