// SPDX-License-Identifier: Apache-2.0

import AgentCore

/// The answer of PutRecords: `{"FailedRecordCount":n,"Records":[…]}`, entry i for the request's record i.
///
/// An entry of a stored record has SequenceNumber and ShardId, one of a record that was not stored ErrorCode and
/// ErrorMessage. Anything else in place of them makes the whole answer unintelligible: what was stored is then unknown.
enum PutRecordsAnswer {
    /// - Returns: As many outcomes as the request had records. Accepted ones are slices of `body`.
    static func outcomes(of body: [UInt8], records: Int) throws(MalformedAnswer) -> [RecordOutcome] {
        let answer = Payload(body)
        return try body.withUnsafeBufferPointer { (bytes) throws(MalformedAnswer) -> [RecordOutcome] in
            var reader = Reader(scanner: AnswerScanner(bytes), body: answer)
            return try reader.read(records: records)
        }
    }

    private struct Reader {
        var scanner: AnswerScanner
        let body: Payload
        var code = LastText()
        var message = LastText()

        mutating func read(records: Int) throws(MalformedAnswer) -> [RecordOutcome] {
            var outcomes: [RecordOutcome]?
            try scanner.expect("{")
            var first = true
            while try scanner.next(before: "}", first: &first) {
                let name = try scanner.memberName()
                if scanner.text(name, is: "Records") {
                    outcomes = try entries(records)
                } else {
                    try scanner.skipValue()
                }
            }
            try scanner.expectEnd()
            guard let outcomes else { throw scanner.malformed("it has no Records") }
            return outcomes
        }

        private mutating func entries(_ records: Int) throws(MalformedAnswer) -> [RecordOutcome] {
            var outcomes: [RecordOutcome] = []
            outcomes.reserveCapacity(records)
            try scanner.expect("[")
            var first = true
            while try scanner.next(before: "]", first: &first) {
                if outcomes.count == records { throw scanner.malformed("it has more entries than \(records)") }
                outcomes.append(try entry())
            }
            if outcomes.count != records {
                throw scanner.malformed("it has \(outcomes.count) entries for \(records) records")
            }
            return outcomes
        }

        private mutating func entry() throws(MalformedAnswer) -> RecordOutcome {
            var sequenceNumber: AnswerScanner.Text?
            var shard: AnswerScanner.Text?
            var errorCode: AnswerScanner.Text?
            var errorMessage: AnswerScanner.Text?
            try scanner.expect("{")
            var first = true
            while try scanner.next(before: "}", first: &first) {
                let name = try scanner.memberName()
                if scanner.text(name, is: "SequenceNumber") {
                    sequenceNumber = try scanner.stringOrNull()
                } else if scanner.text(name, is: "ShardId") {
                    shard = try scanner.stringOrNull()
                } else if scanner.text(name, is: "ErrorCode") {
                    errorCode = try scanner.stringOrNull()
                } else if scanner.text(name, is: "ErrorMessage") {
                    errorMessage = try scanner.stringOrNull()
                } else {
                    try scanner.skipValue()
                }
            }
            if let errorCode {
                let text = errorMessage.map { message.string($0, scanner) } ?? ""
                return .refused(code: code.string(errorCode, scanner), message: text)
            }
            guard let sequenceNumber, let shard, !sequenceNumber.range.isEmpty else {
                throw scanner.malformed("an entry has neither a sequence number with its shard nor an error code")
            }
            return .accepted(sequenceNumber: payload(sequenceNumber), shard: payload(shard))
        }

        private func payload(_ text: AnswerScanner.Text) -> Payload {
            text.isEscaped ? Payload(scanner.unescaped(text)) : body[text.range]
        }
    }

    /// Throttling fails many entries with one and the same text: it becomes a string once.
    private struct LastText {
        private var last: (text: AnswerScanner.Text, string: String)?

        mutating func string(_ text: AnswerScanner.Text, _ scanner: AnswerScanner) -> String {
            if let last, scanner.same(last.text, text) { return last.string }
            let string = scanner.decoded(text)
            last = (text, string)
            return string
        }
    }
}
