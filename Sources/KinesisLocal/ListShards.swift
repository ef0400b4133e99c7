// SPDX-License-Identifier: Apache-2.0

/// ListShards, with its filter and its tokens that live 300 s.
extension KinesisService {
    static let tokenLifetimeMS: Int64 = 300_000

    func listShards(_ request: StreamRequest, now: Moment) throws(APIError) -> [UInt8] {
        let limit = request.maxResults ?? 1000
        guard (1...10_000).contains(limit) else {
            throw .validation("maxResults", value: "\(limit)", "be in 1...10000")
        }
        let stream: LocalStream
        var after = -1
        if let token = request.nextToken {
            guard request.streamName == nil, request.streamARN == nil, request.exclusiveStartShardID == nil else {
                throw .invalidArgument("NextToken and StreamName cannot be provided together.")
            }
            let parts = Self.parts(token: token)
            guard parts.count == 3, let issued = Int64(parts[0]), let last = Int(parts[1]) else {
                throw .invalidArgument("NextToken is not one that ListShards gave.")
            }
            guard now.wallMS - issued < Self.tokenLifetimeMS else {
                throw APIError("ExpiredNextTokenException", "NextToken is older than 300 seconds.")
            }
            stream = try store.stream(parts[2])
            after = last
        } else {
            stream = try store.stream(try name(request))
            if let id = request.exclusiveStartShardID { after = try stream.shard(id: id).index }
        }
        let found = try filter(stream, request.shardFilter).filter { $0.index > after }
        var json = JSONText()
        json.object {
            $0.name("Shards")
            $0.array { for shard in found.prefix(limit) { describe(shard, into: &$0) } }
            if found.count > limit {
                $0.member("NextToken", Base64.encode("\(now.wallMS)/\(found[limit - 1].index)/\(stream.name)"))
            }
        }
        return json.bytes
    }

    private func filter(_ stream: LocalStream, _ filter: StreamRequest.Filter?) throws(APIError) -> [Shard] {
        guard let filter else { return stream.shards }
        let timeMS = filter.timestamp.map { Int64($0 * 1000) }
        switch filter.type {
        case "AT_LATEST": return stream.shards.filter(\.isOpen)
        case "AT_TRIM_HORIZON": return stream.shards.filter { $0.parent == nil && $0.adjacentParent == nil }
        case "FROM_TRIM_HORIZON": return stream.shards
        case "AFTER_SHARD_ID":
            guard let id = filter.shardID else { throw .invalidArgument("AFTER_SHARD_ID needs ShardId.") }
            let index = try stream.shard(id: id).index
            return stream.shards.filter { $0.index > index }
        case "AT_TIMESTAMP":
            guard let timeMS else { throw .invalidArgument("AT_TIMESTAMP needs Timestamp.") }
            return stream.shards.filter { $0.wasOpen(atMS: timeMS) }
        case "FROM_TIMESTAMP":
            guard let timeMS else { throw .invalidArgument("FROM_TIMESTAMP needs Timestamp.") }
            return stream.shards.filter { ($0.closedMS ?? .max) > timeMS }
        default:
            throw .validation(
                "shardFilter.type",
                value: filter.type ?? "null",
                "satisfy enum value set: [AFTER_SHARD_ID, AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, "
                    + "FROM_TIMESTAMP]"
            )
        }
    }

    /// The three fields of a token, of which the last may hold anything.
    static func parts(token: String) -> [String] {
        var arena = ByteArena(capacity: 256)
        var token = token
        guard let count = token.withUTF8({ Base64.decode(UnsafeRawBufferPointer($0), into: &arena) }) else { return [] }
        let text = String(decoding: arena.bytes(0..<count), as: UTF8.self)
        return text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    }
}
