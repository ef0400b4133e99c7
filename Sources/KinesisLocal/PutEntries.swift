// SPDX-License-Identifier: Apache-2.0

/// The entries of a PutRecords answer, written one after the other as bytes; a PutRecord answer is one such entry.
struct PutEntries {
    private let contradiction: FaultRule.Contradiction?
    /// All entries, with commas between them.
    private(set) var bytes: [UInt8] = []
    /// Where each ends.
    private var ends: [Int] = []
    private var failed = 0

    /// - Parameter contradiction: What is wrong with what is written; `nil`: nothing.
    init(records: Int, contradiction: FaultRule.Contradiction? = nil) {
        self.contradiction = contradiction
        bytes.reserveCapacity(records * 120 + 64)
        ends.reserveCapacity(records)
    }

    mutating func stored(_ ordinal: UInt64, in shard: Shard) {
        separate()
        switch contradiction {
        case nil, .failedCount, .countAsText:
            bytes.append(contentsOf: shard.entryHead)
            SequenceNumber.write(ordinal, into: &bytes)
            bytes.append(contentsOf: shard.entryTail)
        case .noMembers: bytes.append(contentsOf: "{}".utf8)
        case .number:
            bytes.append(
                contentsOf: #"{"SequenceNumber":\#(shard.sequenceNumber(ordinal)),"ShardId":"\#(shard.id)"}"#.utf8
            )
        case .emptyErrorCode, .errorCode:
            var entry = JSONText()
            entry.object {
                $0.member("SequenceNumber", shard.sequenceNumber(ordinal))
                $0.member("ShardId", shard.id)
                $0.member("ErrorCode", contradiction == .errorCode ? "InternalFailure" : "")
                $0.member("ErrorMessage", contradiction == .errorCode ? "Internal Service Failure" : "")
            }
            bytes.append(contentsOf: entry.bytes)
        }
        ends.append(bytes.count)
    }

    mutating func refused(_ code: String, _ message: String) {
        separate()
        failed += 1
        var entry = JSONText()
        entry.object {
            $0.member("ErrorCode", code)
            $0.member("ErrorMessage", message)
        }
        bytes.append(contentsOf: entry.bytes)
        ends.append(bytes.count)
    }

    /// The answer of PutRecords, with the last entry `more` times more; or with so many entries less, where negative.
    func answer(more: Int = 0) -> [UInt8] {
        let quote = contradiction == .countAsText ? "\"" : ""
        let count = "\(quote)\(failed + (contradiction == .failedCount ? 1 : 0))\(quote)"
        let shown = min(ends.count, max(0, ends.count + more))
        var body: [UInt8] = []
        body.reserveCapacity(bytes.count + 64)
        body.append(contentsOf: #"{"FailedRecordCount":\#(count),"Records":["#.utf8)
        body.append(contentsOf: bytes[..<(shown > 0 ? ends[shown - 1] : 0)])
        for _ in 0..<max(0, more) where !ends.isEmpty {
            body.append(UInt8(ascii: ","))
            body.append(contentsOf: bytes[(ends.count > 1 ? ends[ends.count - 2] + 1 : 0)...])
        }
        body.append(contentsOf: "]}".utf8)
        return body
    }

    private mutating func separate() {
        if !ends.isEmpty { bytes.append(UInt8(ascii: ",")) }
    }
}
