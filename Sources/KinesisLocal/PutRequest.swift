// SPDX-License-Identifier: Apache-2.0
internal import AgentCore

/// A PutRecord or PutRecords request, its keys and data decoded into one arena.
struct PutRequest: ~Copyable {
    struct Record {
        var key: Range<Int> = 0..<0
        var data: Range<Int> = 0..<0
        /// The digits as they came; empty: none.
        var explicitHashKey: Range<Int> = 0..<0
        var hasKey = false
        var hasData = false
        /// Where the record goes in the hash space; set by validation.
        var point: UInt128 = 0
    }

    var stream = ""
    var arn = ""
    var hasRecords = false
    var records: [Record] = []
    /// The members of PutRecord, which has a record's members at its top.
    var single = Record()
    var sequenceNumberForOrdering = ""
    var arena = ByteArena()

    mutating func clear() {
        stream = ""
        arn = ""
        hasRecords = false
        records.removeAll(keepingCapacity: true)
        single = Record()
        sequenceNumberForOrdering = ""
        arena.clear()
    }

    func key(_ record: Record) -> UnsafeRawBufferPointer { arena.bytes(record.key) }
    func data(_ record: Record) -> UnsafeRawBufferPointer { arena.bytes(record.data) }
}

extension PutRequest {
    /// Reads a request body in one pass, without a tree: names are compared in place, base64 is decoded from where it
    /// stands. Members that the API does not know are skipped.
    mutating func read(_ body: UnsafeRawBufferPointer) throws(APIError) {
        clear()
        var scanner = JSONScanner(body)
        try scanner.object { scanner, name throws(APIError) in
            if name == "Records" {
                hasRecords = true
                try scanner.array { scanner throws(APIError) in
                    var record = Record()
                    try scanner.object { scanner, name throws(APIError) in
                        try readMember(name, of: &record, &scanner)
                    }
                    records.append(record)
                }
            } else if name == "StreamName" {
                stream = try scanner.text()
            } else if name == "StreamARN" {
                arn = try scanner.text()
            } else if name == "SequenceNumberForOrdering" {
                sequenceNumberForOrdering = try scanner.text()
            } else {
                var record = single
                try readMember(name, of: &record, &scanner)
                single = record
            }
        }
        try scanner.end()
    }

    private mutating func readMember(
        _ name: JSONScanner.Name,
        of record: inout Record,
        _ scanner: inout JSONScanner
    ) throws(APIError) {
        if name == "Data" {
            guard let text = try scanner.string() else { return }
            record.data = try decode(text)
            record.hasData = true
        } else if name == "PartitionKey" {
            guard let text = try scanner.string() else { return }
            record.key = try unescape(text)
            record.hasKey = true
        } else if name == "ExplicitHashKey" {
            guard let text = try scanner.string() else { return }
            record.explicitHashKey = try unescape(text)
        } else {
            try scanner.skipValue()
        }
    }

    private mutating func decode(_ text: JSONScanner.Text) throws(APIError) -> Range<Int> {
        let start = arena.count
        if Base64.decode(text.raw, into: &arena) != nil { return start..<arena.count }
        // Encoders may write "/" as "\/": rare enough to pay for a copy.
        var plain: [UInt8] = []
        guard text.unescape(into: &plain),
            plain.withUnsafeBytes({ Base64.decode($0, into: &arena) }) != nil
        else { throw .serialization("Data is not base64.") }
        return start..<arena.count
    }

    private mutating func unescape(_ text: JSONScanner.Text) throws(APIError) -> Range<Int> {
        let start = arena.count
        if text.hasEscape {
            var plain: [UInt8] = []
            guard text.unescape(into: &plain) else { throw .serialization("A string has a bad escape.") }
            plain.withUnsafeBytes { arena.append($0) }
        } else {
            arena.append(text.raw)
        }
        return start..<arena.count
    }
}
