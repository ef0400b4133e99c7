// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials

/// The members of all requests but puts; each operation uses its own.
struct StreamRequest: Decodable {
    var streamName: String?
    var streamARN: String?
    var shardCount: Int?
    var streamModeDetails: ModeDetails?
    var maxRecordSizeInKiB: Int?
    var limit: Int?
    var maxResults: Int?
    var nextToken: String?
    var exclusiveStartShardID: String?
    var exclusiveStartStreamName: String?
    var shardFilter: Filter?
    var shardID: String?
    var shardIteratorType: String?
    var startingSequenceNumber: String?
    /// Seconds since 1970.
    var timestamp: Double?
    var shardIterator: String?
    var shardToSplit: String?
    var newStartingHashKey: String?
    var shardToMerge: String?
    var adjacentShardToMerge: String?
    var targetShardCount: Int?

    struct ModeDetails: Decodable {
        var streamMode: String?

        enum CodingKeys: String, CodingKey { case streamMode = "StreamMode" }
    }

    struct Filter: Decodable {
        var type: String?
        var shardID: String?
        var timestamp: Double?

        enum CodingKeys: String, CodingKey {
            case type = "Type"
            case shardID = "ShardId"
            case timestamp = "Timestamp"
        }
    }

    enum CodingKeys: String, CodingKey {
        case streamName = "StreamName"
        case streamARN = "StreamARN"
        case shardCount = "ShardCount"
        case streamModeDetails = "StreamModeDetails"
        case maxRecordSizeInKiB = "MaxRecordSizeInKiB"
        case limit = "Limit"
        case maxResults = "MaxResults"
        case nextToken = "NextToken"
        case exclusiveStartShardID = "ExclusiveStartShardId"
        case exclusiveStartStreamName = "ExclusiveStartStreamName"
        case shardFilter = "ShardFilter"
        case shardID = "ShardId"
        case shardIteratorType = "ShardIteratorType"
        case startingSequenceNumber = "StartingSequenceNumber"
        case timestamp = "Timestamp"
        case shardIterator = "ShardIterator"
        case shardToSplit = "ShardToSplit"
        case newStartingHashKey = "NewStartingHashKey"
        case shardToMerge = "ShardToMerge"
        case adjacentShardToMerge = "AdjacentShardToMerge"
        case targetShardCount = "TargetShardCount"
    }

    static func decode(_ body: UnsafeRawBufferPointer) throws(APIError) -> StreamRequest {
        do {
            return try JSONDecoder().decode(StreamRequest.self, from: Data(body))
        } catch {
            throw .serialization("The body is not JSON of the expected form.")
        }
    }

    /// A member that the operation cannot do without.
    func required<T>(_ value: T?, _ name: String) throws(APIError) -> T {
        guard let value else { throw .validation(name, value: "null", "not be null") }
        return value
    }
}
