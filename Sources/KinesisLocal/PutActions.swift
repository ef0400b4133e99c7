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
            let views = problem == nil && faults.selectsRecords ? recordViews(name) : []
            fault = faults.requestArrived(
                operation,
                stream: name,
                bytes: body.count,
                records: views,
                now: now.monotonic
            )
            if let rule = fault.rule, !rule.storesRecords { return spoil(nil, fault) }
        }
        if let problem { return spoil(refusal(problem), fault) }
        let stream = try store.index(of: name)
        store.beginCall()
        let first = store.nextOrdinal
        var reply =
            operation == .putRecords
            ? storeRecords(stream, fault.rule, now: now) : storeRecord(stream, fault.rule, now: now)
        untold.stored(first..<store.nextOrdinal)
        if reply.status == 200 { reply.tells = first..<store.nextOrdinal }
        return spoil(reply, fault)
    }

    /// Stores what is not refused and answers with an entry for each record, as far as `rule` leaves that.
    private func storeRecords(_ stream: Int, _ rule: FaultRule?, now: Moment) -> Reply {
        var entries = PutEntries(records: put.records.count, contradiction: rule?.how)
        for record in put.records {
            let shard = store[stream].shard(for: record.point)
            switch storeRecord(record, stream, shard, .putRecords, now: now) {
            case .stored(let ordinal): entries.stored(ordinal, in: store[stream].shards[shard])
            case .refused(let code, let message):
                statistics.refusedRecords[code, default: 0] += 1
                entries.refused(code, message)
            }
        }
        return writeJournal() ?? Reply(body: entries.answer(more: rule?.entries ?? 0))
    }

    private func storeRecord(_ stream: Int, _ rule: FaultRule?, now: Moment) -> Reply {
        let shard = store[stream].shard(for: put.records[0].point)
        switch storeRecord(put.records[0], stream, shard, .putRecord, now: now) {
        case .stored(let ordinal):
            var entry = PutEntries(records: 1, contradiction: rule?.how)
            entry.stored(ordinal, in: store[stream].shards[shard])
            return writeJournal() ?? Reply(body: entry.bytes)
        case .refused(let code, let message):
            let status = code.hasPrefix("InternalFailure") ? 500 : 400
            return refusal(APIError(code, message, status: status))
        }
    }

    private enum Outcome {
        case stored(UInt64)
        case refused(code: String, message: String)
    }

    /// Stores one record unless a fault or the shard's rate refuses it.
    private func storeRecord(
        _ record: PutRequest.Record,
        _ stream: Int,
        _ shard: Int,
        _ operation: Operation,
        now: Moment
    ) -> Outcome {
        let (key, data) = (put.key(record), put.data(record))
        store.countCall(stream: stream, shard: shard)
        if looksAtRecords {
            let view = FaultPlan.RecordView(shard: store[stream].shards[shard].id, key: key, data: data)
            let name = store[stream].name
            if let refused = faults.recordArrived(operation, stream: name, record: view, now: now.monotonic) {
                if refused.code == APIError.throttlingCode { store.countThrottled(stream: stream, shard: shard) }
                return .refused(code: refused.code, message: refused.message)
            }
        }
        guard let ordinal = store.put(stream: stream, shard: shard, key: key, data: data, now: now) else {
            let error = APIError.throttled(shard: store[stream].shards[shard].id, stream: store[stream].name)
            return .refused(code: error.code, message: error.message)
        }
        statistics.acceptedRecords += 1
        statistics.acceptedBytes += key.count + data.count
        journal?.add(ordinal, store[stream], shard, key: key, data: data, now: now)
        return .stored(ordinal)
    }

    private var looksAtRecords: Bool { !faults.isEmpty && faults.looksAtRecords }

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
                    shard: store[stream].shards[store[stream].shard(for: record.point)].id,
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
