// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// The members of a request of the Kinesis API that matter here. Others are passed over, as the service does; null is
/// as if it were not there. Where one is there twice, the last one counts.
struct RequestMembers<View: AmazonView> {
    /// Of PutRecord.
    private(set) var record = RecordMembers<View>()
    /// Of PutRecords.
    private(set) var records: View?
    private(set) var limit: View?
    private(set) var nextToken: View?
    private(set) var exclusiveStartStreamName: View?
    private(set) var exclusiveStartShardID: View?
    private var streamName: View?
    private var streamARN: View?

    init(_ object: View) throws(Refusal) {
        guard object.isObject else { throw .serialization("The body is not an object with the members of a request.") }
        var members = object.members
        while let (name, value) = members.next() {
            if value.isNull { continue }
            if record.take(name, value) { continue }
            if name.isString("Records") {
                records = value
            } else if name.isString("StreamName") {
                streamName = value
            } else if name.isString("StreamARN") {
                streamARN = value
            } else if name.isString("Limit") || name.isString("MaxResults") {
                limit = value
            } else if name.isString("NextToken") {
                nextToken = value
            } else if name.isString("ExclusiveStartStreamName") {
                exclusiveStartStreamName = value
            } else if name.isString("ExclusiveStartShardId") {
                exclusiveStartShardID = value
            }
        }
    }

    func address() throws(Refusal) -> StreamAddress {
        try StreamAddress(
            name: try Self.text(streamName, "StreamName"),
            arn: try Self.text(streamARN, "StreamARN")
        )
    }

    static func text(_ value: View?, _ member: String) throws(Refusal) -> String? {
        guard let value else { return nil }
        guard let text = value.string else { throw .serialization("\(member) must be a string.") }
        return text
    }
}

/// The members of a record, or of PutRecord. `SequenceNumberForOrdering` is one of those that are passed over: the
/// agent keeps the order of a key anyway.
struct RecordMembers<View: AmazonView> {
    private(set) var data: View?
    private(set) var partitionKey: View?
    private(set) var explicitHashKey: View?

    /// - Returns: whether it was one of these.
    mutating func take(_ name: View, _ value: View) -> Bool {
        if name.isString("Data") {
            data = value
        } else if name.isString("PartitionKey") {
            partitionKey = value
        } else if name.isString("ExplicitHashKey") {
            explicitHashKey = value
        } else {
            return false
        }
        return true
    }
}
