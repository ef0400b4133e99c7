// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// Streams and shards: making, describing, resharding.
extension KinesisService {
    /// Everything but puts.
    func controlReply(_ operation: Operation, _ body: UnsafeRawBufferPointer, now: Moment) throws(APIError) -> Reply {
        let request = try StreamRequest.decode(body)
        var fault = FaultPlan.RequestFault()
        if !faults.isEmpty {
            let arn = request.streamARN.flatMap(Account.stream(arn:))
            let name = request.streamName ?? arn ?? request.shardIterator.flatMap { ShardIterator($0)?.stream } ?? ""
            fault = faults.requestArrived(operation, stream: name, records: [], now: now.monotonic)
            if let rule = fault.rule, !rule.storesRecords { return spoil(nil, fault) }
        }
        return spoil(Reply(body: try perform(operation, request, now: now)), fault)
    }

    private func perform(_ operation: Operation, _ request: StreamRequest, now: Moment) throws(APIError) -> [UInt8] {
        switch operation {
        case .createStream: try createStream(request, now: now)
        case .deleteStream: try store.delete(try name(request))
        case .describeLimits: return describeLimits()
        case .describeStream: return try describeStream(request)
        case .describeStreamSummary: return try describeStreamSummary(request)
        case .getRecords: return try getRecords(request, now: now)
        case .getShardIterator: return try getShardIterator(request, now: now)
        case .listShards: return try listShards(request, now: now)
        case .listStreams: return try listStreams(request)
        case .mergeShards:
            let pair = (
                try request.required(request.shardToMerge, "shardToMerge"),
                try request.required(request.adjacentShardToMerge, "adjacentShardToMerge")
            )
            try store.merge(try name(request), pair.0, pair.1, now: now)
        case .splitShard:
            let shard = try request.required(request.shardToSplit, "shardToSplit")
            let digits = try request.required(request.newStartingHashKey, "newStartingHashKey")
            guard KinesisLimits.isHashKey(digits), let hashKey = UInt128(digits) else {
                throw .validation(
                    "newStartingHashKey",
                    value: digits,
                    "satisfy regular expression pattern: 0|([1-9]\\d{0,38})"
                )
            }
            try store.split(try name(request), shard, at: hashKey, now: now)
        case .updateMaxRecordSize: try updateMaxRecordSize(request)
        case .updateShardCount: return try updateShardCount(request, now: now)
        case .putRecord, .putRecords: preconditionFailure("puts have a path of their own")
        }
        return []
    }

    func name(_ request: StreamRequest) throws(APIError) -> String {
        try streamName(request.streamName ?? "", arn: request.streamARN ?? "")
    }

    private func createStream(_ request: StreamRequest, now: Moment) throws(APIError) {
        let name = try name(request)
        let mode = LocalStream.StreamMode(rawValue: request.streamModeDetails?.streamMode ?? "PROVISIONED")
        guard let mode else {
            throw .validation("streamModeDetails.streamMode", "satisfy enum value set: [PROVISIONED, ON_DEMAND]")
        }
        let shards = request.shardCount ?? (mode == .onDemand ? 4 : 1)
        try checkShardCount(shards, "shardCount")
        let size = try request.maxRecordSizeInKiB.map { kib throws(APIError) in try recordBytes(kib: kib) }
        try store.create(name, shards: shards, mode: mode, maxRecordBytes: size, now: now)
    }

    private func updateMaxRecordSize(_ request: StreamRequest) throws(APIError) {
        let kib = try request.required(request.maxRecordSizeInKiB, "maxRecordSizeInKiB")
        let size = try recordBytes(kib: kib)
        store[try store.index(of: try name(request))].maxRecordBytes = size
    }

    private func recordBytes(kib: Int) throws(APIError) -> Int {
        guard (1024...10240).contains(kib) else {
            throw .validation(
                "maxRecordSizeInKiB",
                value: "\(kib)",
                "have value less than or equal to 10240, and greater than or equal to 1024"
            )
        }
        return kib << 10
    }

    /// So that a slip of the hand does not fill the memory; the service's own limit is 10 000 a stream.
    private func checkShardCount(_ count: Int, _ place: String) throws(APIError) {
        guard count >= 1 else {
            throw .validation(place, value: "\(count)", "have value greater than or equal to 1")
        }
        guard count <= 10_000 else {
            throw APIError("LimitExceededException", "A stream has at most 10000 shards; \(count) were asked for.")
        }
    }

    private func updateShardCount(_ request: StreamRequest, now: Moment) throws(APIError) -> [UInt8] {
        let target = try request.required(request.targetShardCount, "targetShardCount")
        try checkShardCount(target, "targetShardCount")
        let name = try name(request)
        let current = try store.stream(name).openShards.count
        guard target <= current * 2, target * 2 >= current else {
            throw APIError(
                "LimitExceededException",
                "UpdateShardCount cannot scale up over double, or down below half, of the current \(current) open shards."
            )
        }
        try store.reshard(name, to: target, now: now)
        var json = JSONText()
        json.object {
            $0.member("StreamName", name)
            $0.member("CurrentShardCount", current)
            $0.member("TargetShardCount", target)
            $0.member("StreamARN", Account.arn(stream: name, region: region))
        }
        return json.bytes
    }

    private func describeLimits() -> [UInt8] {
        var json = JSONText()
        json.object {
            $0.member("ShardLimit", 10_000)
            $0.member("OpenShardCount", store.all.reduce(0) { $0 + $1.openShards.count })
            $0.member("OnDemandStreamCount", store.all.count { $0.mode == .onDemand })
            $0.member("OnDemandStreamCountLimit", 50)
        }
        return json.bytes
    }

    private func describeStream(_ request: StreamRequest) throws(APIError) -> [UInt8] {
        let stream = try store.stream(try name(request))
        let after =
            try request.exclusiveStartShardID.map { id throws(APIError) in try stream.shard(id: id).index } ?? -1
        let limit = request.limit ?? 100
        guard (1...10_000).contains(limit) else { throw .validation("limit", value: "\(limit)", "be in 1...10000") }
        let shards = stream.shards.dropFirst(after + 1)
        var json = JSONText()
        json.object {
            $0.name("StreamDescription")
            $0.object {
                describe(stream, into: &$0)
                $0.name("Shards")
                $0.array { for shard in shards.prefix(limit) { describe(shard, into: &$0) } }
                $0.member("HasMoreShards", shards.count > limit)
            }
        }
        return json.bytes
    }

    private func describeStreamSummary(_ request: StreamRequest) throws(APIError) -> [UInt8] {
        let stream = try store.stream(try name(request))
        var json = JSONText()
        json.object {
            $0.name("StreamDescriptionSummary")
            $0.object {
                describe(stream, into: &$0)
                $0.member("OpenShardCount", stream.openShards.count)
                $0.member("ConsumerCount", 0)
                $0.member("MaxRecordSizeInKiB", stream.maxRecordBytes >> 10)
            }
        }
        return json.bytes
    }

    private func listStreams(_ request: StreamRequest) throws(APIError) -> [UInt8] {
        let limit = request.limit ?? 100
        guard (1...10_000).contains(limit) else { throw .validation("limit", value: "\(limit)", "be in 1...10000") }
        let after = request.nextToken ?? request.exclusiveStartStreamName ?? ""
        let streams = store.all.filter { $0.name > after }.sorted { $0.name < $1.name }
        let page = streams.prefix(limit)
        var json = JSONText()
        json.object {
            $0.name("StreamNames")
            $0.array { for stream in page { $0.value(stream.name) } }
            $0.name("StreamSummaries")
            $0.array {
                for stream in page {
                    $0.object { identify(stream, into: &$0) }
                }
            }
            $0.member("HasMoreStreams", streams.count > limit)
            if streams.count > limit, let last = page.last { $0.member("NextToken", last.name) }
        }
        return json.bytes
    }

    private func identify(_ stream: LocalStream, into json: inout JSONText) {
        json.member("StreamName", stream.name)
        json.member("StreamARN", Account.arn(stream: stream.name, region: region))
        json.member("StreamStatus", "ACTIVE")
        json.name("StreamModeDetails")
        json.object { $0.member("StreamMode", stream.mode.rawValue) }
        json.member("StreamCreationTimestamp", timeMS: stream.createdMS)
    }

    private func describe(_ stream: LocalStream, into json: inout JSONText) {
        identify(stream, into: &json)
        json.member("RetentionPeriodHours", 24)
        json.member("EncryptionType", "NONE")
        json.name("EnhancedMonitoring")
        json.array {
            $0.object {
                $0.name("ShardLevelMetrics"); $0.array { _ in }
            }
        }
    }

    func describe(_ shard: Shard, into json: inout JSONText) {
        json.object {
            $0.member("ShardId", shard.id)
            if let parent = shard.parent { $0.member("ParentShardId", Shard.id(parent)) }
            if let parent = shard.adjacentParent { $0.member("AdjacentParentShardId", Shard.id(parent)) }
            hashKeyRange(shard, into: &$0)
            $0.name("SequenceNumberRange")
            $0.object {
                $0.member("StartingSequenceNumber", shard.sequenceNumber(shard.startingOrdinal))
                if let end = shard.endingOrdinal { $0.member("EndingSequenceNumber", shard.sequenceNumber(end)) }
            }
        }
    }

    func hashKeyRange(_ shard: Shard, into json: inout JSONText) {
        json.name("HashKeyRange")
        json.object {
            $0.member("StartingHashKey", "\(shard.range.lowerBound)")
            $0.member("EndingHashKey", "\(shard.range.upperBound)")
        }
    }
}
