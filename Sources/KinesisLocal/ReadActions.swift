// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// A place in a shard where reading goes on, as an opaque text that lives five minutes.
struct ShardIterator: Equatable {
    static let lifetimeMS: Int64 = 300_000

    let stream: String
    let generation: Int
    let shard: Int
    /// The smallest ordinal that comes next.
    let ordinal: UInt64
    let issuedMS: Int64

    init(stream: String, generation: Int, shard: Int, ordinal: UInt64, issuedMS: Int64) {
        self.stream = stream
        self.generation = generation
        self.shard = shard
        self.ordinal = ordinal
        self.issuedMS = issuedMS
    }

    init?(_ text: String) {
        var arena = ByteArena(capacity: 512)
        var text = text
        guard let count = text.withUTF8({ Base64.decode(UnsafeRawBufferPointer($0), into: &arena) }) else { return nil }
        let fields = String(decoding: arena.bytes(0..<count), as: UTF8.self).split(separator: "/")
        guard fields.count == 5, let generation = Int(fields[1]), let shard = Int(fields[2]),
            let ordinal = UInt64(fields[3]), let issued = Int64(fields[4])
        else { return nil }
        self.init(
            stream: String(fields[0]),
            generation: generation,
            shard: shard,
            ordinal: ordinal,
            issuedMS: issued
        )
    }

    var text: String { Base64.encode("\(stream)/\(generation)/\(shard)/\(ordinal)/\(issuedMS)") }
}

/// GetShardIterator and GetRecords.
extension KinesisService {
    /// Records of an answer at most, and the default; data and keys of an answer at most, in bytes.
    static let readRecords = 10_000
    static let readBytes = 10 << 20

    func getShardIterator(_ request: StreamRequest, now: Moment) throws(APIError) -> [UInt8] {
        let stream = try store.stream(try name(request))
        let shard = try stream.shard(id: try request.required(request.shardID, "shardId"))
        let type = try request.required(request.shardIteratorType, "shardIteratorType")
        let ordinal: UInt64
        switch type {
        case "TRIM_HORIZON": ordinal = shard.startingOrdinal
        case "LATEST": ordinal = store.nextOrdinal
        case "AT_SEQUENCE_NUMBER": ordinal = try startingOrdinal(request, shard, stream)
        case "AFTER_SEQUENCE_NUMBER": ordinal = try startingOrdinal(request, shard, stream) + 1
        case "AT_TIMESTAMP":
            guard let seconds = request.timestamp else {
                throw .invalidArgument("Must specify a Timestamp with ShardIteratorType AT_TIMESTAMP.")
            }
            ordinal = shard.log.first(arrivedFromMS: Int64(seconds * 1000))?.ordinal ?? store.nextOrdinal
        default:
            throw .validation(
                "shardIteratorType",
                value: type,
                "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
            )
        }
        var json = JSONText()
        json.object {
            $0.member("ShardIterator", iterator(stream, shard, ordinal, now: now))
        }
        return json.bytes
    }

    func getRecords(_ request: StreamRequest, now: Moment) throws(APIError) -> [UInt8] {
        let limit = request.limit ?? Self.readRecords
        guard (1...Self.readRecords).contains(limit) else {
            throw .validation("limit", value: "\(limit)", "be in 1...\(Self.readRecords)")
        }
        guard let iterator = ShardIterator(try request.required(request.shardIterator, "shardIterator")) else {
            throw .invalidArgument("Invalid ShardIterator.")
        }
        guard now.wallMS - iterator.issuedMS <= ShardIterator.lifetimeMS else {
            throw APIError(
                "ExpiredIteratorException",
                "Iterator expired. The iterator was created at time \(iterator.issuedMS) ms while right now it is "
                    + "\(now.wallMS) ms, which is further in the future than the tolerated delay of 300000 milliseconds."
            )
        }
        let stream = try store.stream(iterator.stream)
        guard stream.generation == iterator.generation, iterator.shard < stream.shards.count else {
            throw .unknownShard(Shard.id(iterator.shard), stream: iterator.stream)
        }
        return records(stream, stream.shards[iterator.shard], from: iterator.ordinal, limit: limit, now: now)
    }

    private func records(
        _ stream: LocalStream,
        _ shard: Shard,
        from ordinal: UInt64,
        limit: Int,
        now: Moment
    ) -> [UInt8] {
        var json = JSONText(capacity: 4096)
        var (count, bytes, next) = (0, 0, ordinal)
        json.object {
            $0.name("Records")
            $0.array { json in
                shard.log.forEach(from: ordinal) { record in
                    let size = record.key.count + record.data.count
                    guard count < limit, count == 0 || bytes + size <= Self.readBytes else { return false }
                    json.object {
                        $0.member("SequenceNumber", shard.sequenceNumber(record.ordinal))
                        $0.member("ApproximateArrivalTimestamp", timeMS: record.arrivalMS)
                        $0.name("Data")
                        $0.value(base64: record.data)
                        $0.name("PartitionKey")
                        $0.value(utf8: record.key)
                    }
                    count += 1
                    bytes += size
                    next = record.ordinal + 1
                    return true
                }
            }
            let unread = shard.log.first(from: next)
            $0.member("MillisBehindLatest", unread.map { max(0, now.wallMS - $0.arrivalMS) } ?? 0)
            if unread == nil, !shard.isOpen {
                $0.name("ChildShards")
                $0.array { for child in stream.children(of: shard.index) { describe(child: child, into: &$0) } }
            } else {
                $0.member("NextShardIterator", iterator(stream, shard, next, now: now))
            }
        }
        return json.bytes
    }

    private func describe(child: Shard, into json: inout JSONText) {
        json.object {
            $0.member("ShardId", child.id)
            $0.name("ParentShards")
            $0.array {
                for parent in [child.parent, child.adjacentParent] {
                    if let parent { $0.value(Shard.id(parent)) }
                }
            }
            hashKeyRange(child, into: &$0)
        }
    }

    private func iterator(_ stream: LocalStream, _ shard: Shard, _ ordinal: UInt64, now: Moment) -> String {
        ShardIterator(
            stream: stream.name,
            generation: stream.generation,
            shard: shard.index,
            ordinal: ordinal,
            issuedMS: now.wallMS
        ).text
    }

    private func startingOrdinal(
        _ request: StreamRequest,
        _ shard: Shard,
        _ stream: LocalStream
    ) throws(APIError) -> UInt64 {
        guard let text = request.startingSequenceNumber else {
            throw .invalidArgument("Must specify a StartingSequenceNumber with this ShardIteratorType.")
        }
        // "0" is before every number of every shard.
        if text == "0" { return shard.startingOrdinal }
        guard let number = SequenceNumber(text), number.shard == shard.index, number.shardCreatedMS == shard.createdMS
        else {
            throw .invalidArgument(
                "StartingSequenceNumber \(text) used in GetShardIterator on shard \(shard.id) in stream \(stream.name) "
                    + "under account \(Account.id) is invalid."
            )
        }
        return number.ordinal
    }
}
