// SPDX-License-Identifier: Apache-2.0

/// The operations that the server knows, by the name after `Kinesis_20131202.` in `X-Amz-Target`.
enum Operation: String, CaseIterable, Sendable {
    case createStream = "CreateStream"
    case deleteStream = "DeleteStream"
    case describeLimits = "DescribeLimits"
    case describeStream = "DescribeStream"
    case describeStreamSummary = "DescribeStreamSummary"
    case getRecords = "GetRecords"
    case getShardIterator = "GetShardIterator"
    case listShards = "ListShards"
    case listStreams = "ListStreams"
    case mergeShards = "MergeShards"
    case putRecord = "PutRecord"
    case putRecords = "PutRecords"
    case splitShard = "SplitShard"
    case updateMaxRecordSize = "UpdateMaxRecordSize"
    case updateShardCount = "UpdateShardCount"

    static let targetPrefix = "Kinesis_20131202."

    init?(target: String) {
        guard target.hasPrefix(Self.targetPrefix) else { return nil }
        self.init(rawValue: String(target.dropFirst(Self.targetPrefix.count)))
    }
}
