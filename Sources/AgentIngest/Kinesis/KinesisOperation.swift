// SPDX-License-Identifier: Apache-2.0

/// The operations of the Kinesis API that are spoken here, by the name in `X-Amz-Target`.
enum KinesisOperation: String, CaseIterable {
    case putRecord = "PutRecord"
    case putRecords = "PutRecords"
    case describeStream = "DescribeStream"
    case describeStreamSummary = "DescribeStreamSummary"
    case listShards = "ListShards"
    case listStreams = "ListStreams"

    private static let prefix = "Kinesis_20131202."

    /// The rest of the service's API model (botocore `kinesis/2013-12-02`, read 2026-08-07).
    private static let others: Set<Substring> = Set(
        """
        AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DeleteResourcePolicy DeleteStream \
        DeregisterStreamConsumer DescribeAccountSettings DescribeLimits DescribeStreamConsumer \
        DisableEnhancedMonitoring EnableEnhancedMonitoring GetRecords GetResourcePolicy GetShardIterator \
        IncreaseStreamRetentionPeriod ListStreamConsumers ListTagsForResource ListTagsForStream MergeShards \
        PutResourcePolicy RegisterStreamConsumer RemoveTagsFromStream SplitShard StartStreamEncryption \
        StopStreamEncryption SubscribeToShard TagResource UntagResource UpdateAccountSettings UpdateMaxRecordSize \
        UpdateShardCount UpdateStreamMode UpdateStreamWarmThroughput
        """.split(separator: " ")
    )

    /// - Parameter target: the field's value.
    init(target: UnsafeRawBufferPointer) throws(Refusal) {
        let text = String(decoding: target, as: UTF8.self)
        guard text.hasPrefix(Self.prefix) else {
            throw .kinesis("UnknownOperationException", "'\(text.prefix(128))' is no operation of Kinesis.")
        }
        let name = text.dropFirst(Self.prefix.utf8.count)
        if let known = Self(rawValue: String(name)) {
            self = known
            return
        }
        guard Self.others.contains(name) else {
            throw .kinesis("UnknownOperationException", "'\(name.prefix(128))' is no operation of Kinesis.")
        }
        let spoken = Self.allCases.map(\.rawValue).joined(separator: ", ")
        throw .kinesis(
            "AccessDeniedException",
            "\(name) is not possible here: this agent buffers records for Kinesis. It speaks \(spoken)."
        )
    }

    var isPut: Bool {
        switch self {
        case .putRecord, .putRecords: true
        case .describeStream, .describeStreamSummary, .listShards, .listStreams: false
        }
    }
}
