// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// PutRecords and PutRecord.
extension KinesisService {
    func putReply(_ operation: Operation, _ body: UnsafeRawBufferPointer, now: Moment) throws(APIError) -> Reply {
        try put.read(body)
        if operation == .putRecord { put.records = [put.single] }
        let name = try streamName(put.stream, arn: put.arn)
        let problem = validate(name, operation)
        var fault = FaultPlan.RequestFault()
        if !faults.isEmpty {
            let views = problem == nil && faults.looksAtRecords ? recordViews(name) : []
            fault = faults.requestArrived(operation, stream: name, records: views, now: now.monotonic)
            if let rule = fault.rule, !rule.storesRecords { return spoil(nil, fault) }
        }
        if let problem { return spoil(refusal(problem), fault) }
        let stream = try store.index(of: name)
        let first = store.nextOrdinal
        var reply =
            operation == .putRecords
            ? storeRecords(stream, entriesMore: fault.rule?.entries ?? 0, now: now)
            : storeRecord(stream, now: now)
        untold.stored(first..<store.nextOrdinal)
        if reply.status == 200 { reply.tells = first..<store.nextOrdinal }
        return spoil(reply, fault)
    }

    /// Stores what is not refused and answers with an entry for each record, or so many more or less.
    private func storeRecords(_ stream: Int, entriesMore: Int, now: Moment) -> Reply {
        let looksAtRecords = !faults.isEmpty && faults.looksAtRecords
        let shown = put.records.count + min(0, entriesMore)
        var entries: [UInt8] = []
        entries.reserveCapacity(put.records.count * 120 + 64)
        var failed = 0
        var lastEntry = 0..<0
        for i in put.records.indices {
            let record = put.records[i]
            let shard = store[stream].shard(for: record.point)
            let start = entries.count
            let refused = storeRecord(record, stream, shard, looksAtRecords ? .putRecords : nil, now: now) { ordinal in
                let shard = store[stream].shards[shard]
                entries.append(contentsOf: shard.entryHead)
                SequenceNumber.write(ordinal, into: &entries)
                entries.append(contentsOf: shard.entryTail)
            }
            if let refused {
                failed += 1
                statistics.refusedRecords[refused.code, default: 0] += 1
                var entry = JSONText()
                entry.object {
                    $0.member("ErrorCode", refused.code)
                    $0.member("ErrorMessage", refused.message)
                }
                entries.append(contentsOf: entry.bytes)
            }
            if i < shown { lastEntry = start..<entries.count } else { entries.removeSubrange(start...) }
            entries.append(UInt8(ascii: ","))
        }
        for _ in 0..<max(0, entriesMore) {
            entries.append(contentsOf: entries[lastEntry])
            entries.append(UInt8(ascii: ","))
        }
        while entries.last == UInt8(ascii: ",") { entries.removeLast() }
        if let refusal = writeJournal() { return refusal }
        var body: [UInt8] = []
        body.reserveCapacity(entries.count + 48)
        body.append(contentsOf: "{\"FailedRecordCount\":\(failed),\"Records\":[".utf8)
        body.append(contentsOf: entries)
        body.append(contentsOf: "]}".utf8)
        return Reply(body: body)
    }

    private func storeRecord(_ stream: Int, now: Moment) -> Reply {
        let shard = store[stream].shard(for: put.records[0].point)
        var body: [UInt8] = []
        let looksAtRecords = !faults.isEmpty && faults.looksAtRecords
        let refused = storeRecord(put.records[0], stream, shard, looksAtRecords ? .putRecord : nil, now: now) {
            ordinal in
            let shard = store[stream].shards[shard]
            body = shard.entryHead
            SequenceNumber.write(ordinal, into: &body)
            body.append(contentsOf: shard.entryTail)
        }
        if let refused {
            let status = refused.code.hasPrefix("InternalFailure") ? 500 : 400
            return refusal(APIError(refused.code, refused.message, status: status))
        }
        return writeJournal() ?? Reply(body: body)
    }

    /// Stores one record unless a fault or the shard's rate refuses it.
    ///
    /// - Parameter faultsOf: the operation whose record faults apply; `nil` where there are none.
    private func storeRecord(
        _ record: PutRequest.Record,
        _ stream: Int,
        _ shard: Int,
        _ faultsOf: Operation?,
        now: Moment,
        stored: (UInt64) -> Void
    ) -> (code: String, message: String)? {
        let (key, data) = (put.key(record), put.data(record))
        if let faultsOf {
            let view = FaultPlan.RecordView(shard: Shard.id(shard), key: key, data: data)
            let name = store[stream].name
            if let refused = faults.recordArrived(faultsOf, stream: name, record: view, now: now.monotonic) {
                return refused
            }
        }
        guard let ordinal = store.put(stream: stream, shard: shard, key: key, data: data, now: now) else {
            let error = APIError.throttled(shard: Shard.id(shard), stream: store[stream].name)
            return (error.code, error.message)
        }
        statistics.acceptedRecords += 1
        statistics.acceptedBytes += key.count + data.count
        journal?.add(ordinal, store[stream], shard, key: key, data: data, now: now)
        stored(ordinal)
        return nil
    }

    /// A refusal where the journal could not be written: the records are stored, so the client must not be told that
    /// all is well, nor can it be told that nothing happened.
    private func writeJournal() -> Reply? {
        guard let problem = journal?.flush() else { return nil }
        return refusal(APIError("InternalFailure", problem, status: 500))
    }

    private func recordViews(_ name: String) -> [FaultPlan.RecordView] {
        guard let stream = try? store.index(of: name) else { return [] }
        var views: [FaultPlan.RecordView] = []
        for record in put.records {
            views.append(
                FaultPlan.RecordView(
                    shard: Shard.id(store[stream].shard(for: record.point)),
                    key: put.key(record),
                    data: put.data(record)
                )
            )
        }
        return views
    }
}

/// Limits.
extension KinesisService {
    /// Sets each record's point in the hash space.
    ///
    /// - Returns: the first reason why the request is refused as a whole; `nil`: none.
    fileprivate func validate(_ name: String, _ operation: Operation) -> APIError? {
        let stream: Int
        do throws(APIError) { stream = try store.index(of: name) } catch { return error }
        let limit = store[stream].maxRecordBytes
        if operation == .putRecords {
            guard put.hasRecords else { return .validation("records", value: "null", "not be null") }
            if put.records.isEmpty { return .validation("records", "have length greater than or equal to 1") }
            if put.records.count > KinesisLimits.recordsPerRequest {
                return .validation("records", "have length less than or equal to \(KinesisLimits.recordsPerRequest)")
            }
        }
        if !put.sequenceNumberForOrdering.isEmpty, !isSequenceNumber(put.sequenceNumberForOrdering) {
            return .validation(
                "sequenceNumberForOrdering",
                value: put.sequenceNumberForOrdering,
                "satisfy regular expression pattern: 0|([1-9]\\d{0,128})"
            )
        }
        var total = 0
        for i in put.records.indices {
            let place = operation == .putRecords ? "records.\(i + 1).member." : ""
            do throws(APIError) { put.records[i].point = try point(put.records[i], limit: limit) { place + $0 } } catch
            {
                return error
            }
            total += put.records[i].key.count + put.records[i].data.count
        }
        if total > KinesisLimits.requestBytes {
            return .invalidArgument("Records size exceeds \(KinesisLimits.requestBytes >> 20) MB limit")
        }
        return nil
    }

    private func isSequenceNumber(_ text: String) -> Bool {
        text == "0" || text.utf8.count <= 129 && !text.hasPrefix("0") && text.utf8.allSatisfy { (48...57).contains($0) }
    }

    private func point(
        _ record: PutRequest.Record,
        limit: Int,
        place: (String) -> String
    ) throws(APIError) -> UInt128 {
        guard record.hasKey else { throw .validation(place("partitionKey"), value: "null", "not be null") }
        guard record.hasData else { throw .validation(place("data"), value: "null", "not be null") }
        let key = put.key(record)
        if key.isEmpty {
            throw .validation(place("partitionKey"), value: "", "have length greater than or equal to 1")
        }
        if key.count > KinesisLimits.partitionKeyCharacters {
            let text = String(decoding: key, as: UTF8.self)
            if text.unicodeScalars.count > KinesisLimits.partitionKeyCharacters {
                throw .validation(place("partitionKey"), value: text, "have length less than or equal to 256")
            }
        }
        if record.data.count > limit {
            throw .validation(place("data"), "have length less than or equal to \(limit)")
        }
        if record.data.count + key.count > limit {
            throw .invalidArgument(
                "\(place("data")) and its partition key have \(record.data.count + key.count) bytes together: more than "
                    + "the stream's maximum record size of \(limit) bytes."
            )
        }
        guard !record.explicitHashKey.isEmpty else { return MD5.digest(key) }
        let digits = String(decoding: put.arena.bytes(record.explicitHashKey), as: UTF8.self)
        guard digits == "0" || (1...39).contains(digits.utf8.count) && !digits.hasPrefix("0"),
            digits.utf8.allSatisfy({ (48...57).contains($0) })
        else {
            throw .validation(
                place("explicitHashKey"),
                value: digits,
                "satisfy regular expression pattern: 0|([1-9]\\d{0,38})"
            )
        }
        guard let point = UInt128(digits) else {
            throw .invalidArgument(
                "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                    + "Specified value was \(digits)"
            )
        }
        return point
    }
}
