// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// Makes events of the records of PutRecord and PutRecords, within the service's own limits.
///
/// All decoded data of a request shares one block, and data that is in the body as it is stays there.
struct PutBody<View: AmazonView> {
    private struct Record {
        let key: EventKey
        let data: Blob
    }

    private let body: RequestBody
    private let request: RequestMembers<View>
    private let target: EventTarget

    /// - Parameter object: the whole of `body`.
    init(_ object: View, _ body: RequestBody) throws(Refusal) {
        self.body = body
        request = try RequestMembers(object)
        let address = try request.address()
        target = try body.rules.target(address.name, address.region)
    }

    /// The event of PutRecord.
    func event() throws(Refusal) -> [NewEvent] {
        try events { (decoded) throws(Refusal) in [try record(request.record, nil, &decoded)] }
    }

    /// The events of PutRecords.
    func events(atMost limit: Int) throws(Refusal) -> BodyEvents {
        guard let list = request.records else { throw .missing("records") }
        guard list.isList else { throw .serialization("Records must be a list.") }
        var count = 0
        let events = try events { (decoded) throws(Refusal) in
            var records: [Record] = []
            var bytes = 0
            var elements = list.elements
            while let element = elements.next() {
                count += 1
                guard count <= KinesisLimits.recordsPerRequest else {
                    throw .validation("records", "have length less than or equal to \(KinesisLimits.recordsPerRequest)")
                }
                guard count <= body.rules.maxEvents else { throw .tooManyEvents }
                guard count <= limit else { continue }
                let record = try record(members(of: element, count), count, &decoded)
                bytes += record.data.count + record.key.bytes
                guard bytes <= KinesisLimits.requestBytes else {
                    throw .invalidArgument("Records size exceeds 10 MB limit")
                }
                if records.isEmpty { records.reserveCapacity(min(limit, KinesisLimits.recordsPerRequest)) }
                records.append(record)
            }
            return records
        }
        if count == 0 { throw .validation("records", value: "[]", "have length greater than or equal to 1") }
        return count > limit ? .tooMany(count: count) : .events(events)
    }

    private func members(of element: View, _ number: Int) throws(Refusal) -> RecordMembers<View> {
        guard element.isObject else { throw .serialization("Record \(number) is not an object.") }
        var record = RecordMembers<View>()
        var members = element.members
        while let (name, value) = members.next() {
            if !value.isNull { _ = record.take(name, value) }
        }
        return record
    }

    /// - Parameter number: which one it is of several, from 1.
    private func record(
        _ members: RecordMembers<View>,
        _ number: Int?,
        _ decoded: inout DecodedBlobs
    ) throws(Refusal) -> Record {
        guard let value = members.data else { throw .missing(Self.place("data", number)) }
        guard let key = members.partitionKey else { throw .missing(Self.place("partitionKey", number)) }
        let partitionKey = try RequestMembers.text(key, "PartitionKey") ?? ""
        let explicitHashKey = try RequestMembers.text(members.explicitHashKey, "ExplicitHashKey")
        try Self.check(partitionKey, explicitHashKey, number)
        guard let data = value.blob(&decoded) else {
            throw .serialization("\(Self.place("data", number)) is not a blob, which is base64 in JSON.")
        }
        let record = Record(
            key: EventKey(partitionKey: partitionKey, explicitHashKey: explicitHashKey ?? ""),
            data: data
        )
        let most = min(body.rules.maxEventBytes, target.maxRecordBytes)
        guard data.count <= body.rules.maxEventBytes, data.count + record.key.bytes <= target.maxRecordBytes else {
            throw .validation(
                Self.place("data", number),
                "have length less than or equal to \(most), its partition key included"
            )
        }
        return record
    }

    private static func check(_ partitionKey: String, _ hashKey: String?, _ number: Int?) throws(Refusal) {
        let place = "partitionKey"
        guard !partitionKey.isEmpty else {
            throw .validation(Self.place(place, number), value: "", "have length greater than or equal to 1")
        }
        let most = KinesisLimits.partitionKeyCharacters
        guard partitionKey.utf8.count <= most || partitionKey.unicodeScalars.count <= most else {
            throw .validation(Self.place(place, number), "have length less than or equal to \(most)")
        }
        guard let hashKey, !KinesisLimits.isHashKey(hashKey) else { return }
        let digits = hashKey.utf8
        guard (1...39).contains(digits.count), digits.allSatisfy(FieldBytes.isDigit),
            digits.first != UInt8(ascii: "0")
        else {
            throw .validation(
                Self.place("explicitHashKey", number),
                value: hashKey,
                #"satisfy regular expression pattern: 0|([1-9]\d{0,38})"#
            )
        }
        throw .invalidArgument(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was \(hashKey)"
        )
    }

    private static func place(_ member: String, _ number: Int?) -> String {
        number.map { "records.\($0).member.\(member)" } ?? member
    }

    /// Decodes records, and makes events of them.
    private func events(_ read: (inout DecodedBlobs) throws(Refusal) -> [Record]) throws(Refusal) -> [NewEvent] {
        var records: [Record] = []
        var fault: Refusal?
        let room = View.decodedBytes(ofBody: body.block.count)
        // Not of none: an empty array has its storage in common with all others, and its count is written even so.
        let block = [UInt8](unsafeUninitializedCapacity: max(room, 1)) { space, count in
            var decoded = DecodedBlobs(UnsafeMutableRawBufferPointer(space))
            do throws(Refusal) {
                records = try read(&decoded)
                count = decoded.used
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return records.map { record in
            let data =
                switch record.data {
                case .body(let range): Payload(body.block, range: range)
                case .decoded(let range): Payload(block, range: range)
                case .own(let bytes): Payload(bytes)
                }
            return NewEvent(destination: target.id, key: record.key, data: data)
        }
    }
}
