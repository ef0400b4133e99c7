// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What the agent knows of streams, in the words of the Kinesis API: enough for SDKs and shippers to start.
///
/// Shards are Kinesis's own affair. The agent shows one that takes all keys, under the name that its answers to puts
/// have while events are in the queue.
struct StreamDescriptions<View: AmazonView, Writer: AmazonWriter> {
    private static var largestHashKey: String { String(UInt128.max) }
    private static var mostNames: Int { 10_000 }

    private let rules: RequestRules
    private let request: RequestMembers<View>

    init(_ object: View, _ rules: RequestRules) throws(Refusal) {
        self.rules = rules
        request = try RequestMembers(object)
    }

    /// The answer's body.
    func answer(to operation: KinesisOperation) throws(Refusal) -> [UInt8] {
        var writer = Writer(capacity: 1024)
        writer.beginObject()
        switch operation {
        case .describeStream:
            let stream = try stream()
            writer.name("StreamDescription")
            writer.beginObject()
            describe(stream, to: &writer)
            writer.name("Shards")
            shards(to: &writer)
            writer.member("HasMoreShards", false)
            writer.endObject()
        case .describeStreamSummary:
            let stream = try stream()
            writer.name("StreamDescriptionSummary")
            writer.beginObject()
            describe(stream, to: &writer)
            writer.member("OpenShardCount", 1)
            writer.member("ConsumerCount", 0)
            writer.member("MaxRecordSizeInKiB", Int64(stream.maxRecordBytes >> 10))
            writer.endObject()
        case .listShards:
            guard request.nextToken == nil else {
                throw .kinesis("ExpiredNextTokenException", "The agent's answers have no NextToken. Begin anew.")
            }
            _ = try stream()
            writer.name("Shards")
            shards(to: &writer)
        case .listStreams: try listStreams(to: &writer)
        case .putRecord, .putRecords: preconditionFailure("puts have events")
        }
        writer.endObject()
        return writer.bytes
    }

    private func stream() throws(Refusal) -> StreamTarget {
        let address = try request.address()
        do throws(StreamRefusal) {
            return try rules.directory.target(stream: address.name, region: address.region)
        } catch {
            throw Refusal(error)
        }
    }

    private func listStreams(to writer: inout Writer) throws(Refusal) {
        let limit = request.limit.map { $0.integer ?? 0 }
        guard (1...Self.mostNames).contains(limit ?? 100) else {
            throw .validation("limit", value: limit.map { "\($0)" }, "have value from 1 to \(Self.mostNames)")
        }
        let token = try RequestMembers.text(request.nextToken, "NextToken")
        let start = try RequestMembers.text(request.exclusiveStartStreamName, "ExclusiveStartStreamName")
        let after = token ?? start ?? ""
        let streams = rules.directory.streams(region: nil).filter { $0.destination.stream > after }
        let page = streams.prefix(limit ?? 100)
        writer.name("StreamNames")
        writer.beginList()
        for stream in page { writer.text(stream.destination.stream) }
        writer.endList()
        writer.name("StreamSummaries")
        writer.beginList()
        for stream in page {
            writer.beginObject()
            identify(stream, to: &writer)
            writer.endObject()
        }
        writer.endList()
        writer.member("HasMoreStreams", streams.count > page.count)
        if streams.count > page.count, let last = page.last { writer.member("NextToken", last.destination.stream) }
    }

    private func identify(_ stream: StreamTarget, to writer: inout Writer) {
        writer.member("StreamName", stream.destination.stream)
        writer.member("StreamARN", StreamAddress.arn(of: stream.destination))
        writer.member("StreamStatus", "ACTIVE")
        writer.name("StreamModeDetails")
        writer.beginObject()
        writer.member("StreamMode", "ON_DEMAND")
        writer.endObject()
        // A member that must be there; when Kinesis made the stream is not known here.
        writer.name("StreamCreationTimestamp")
        writer.time(milliseconds: 0)
    }

    private func describe(_ stream: StreamTarget, to writer: inout Writer) {
        identify(stream, to: &writer)
        writer.member("RetentionPeriodHours", 24)
        writer.name("EnhancedMonitoring")
        writer.beginList()
        writer.beginObject()
        writer.name("ShardLevelMetrics")
        writer.beginList()
        writer.endList()
        writer.endObject()
        writer.endList()
        writer.member("EncryptionType", "NONE")
    }

    private func shards(to writer: inout Writer) {
        writer.beginList()
        if request.exclusiveStartShardID == nil {
            writer.beginObject()
            writer.member("ShardId", AmazonReply.bufferedShard)
            writer.name("HashKeyRange")
            writer.beginObject()
            writer.member("StartingHashKey", "0")
            writer.member("EndingHashKey", Self.largestHashKey)
            writer.endObject()
            writer.name("SequenceNumberRange")
            writer.beginObject()
            writer.member("StartingSequenceNumber", "0")
            writer.endObject()
            writer.endObject()
        }
        writer.endList()
    }
}
