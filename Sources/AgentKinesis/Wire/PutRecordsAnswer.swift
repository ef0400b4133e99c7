// SPDX-License-Identifier: Apache-2.0

import AgentCore

/// The answer of PutRecords: `{"FailedRecordCount":n,"Records":[…]}`, entry i for the request's record i.
///
/// An entry of a stored record has SequenceNumber and ShardId, one of a record that was not stored ErrorCode and
/// ErrorMessage. Servers that are only compatible bend this, and what they stored must not be sent for ever. So:
///
///   a sequence number, text or number, and no error code     stored, also where the shard is missing
///   an error code that is null, "", 0, or no scalar at all   no error code
///   an error code, whatever stands beside it                 not stored
///   neither                                                  not known of this record: it is sent again
///
/// Where nothing is known of any record, where the entries are not as many as the records, and where it is no JSON, the
/// whole answer is unintelligible. FailedRecordCount is not looked at: the entries say it all.
enum PutRecordsAnswer {
    /// - Parameter clean: What may be shown of the message of the record at an index.
    /// - Returns: As many outcomes as the request had records. Accepted ones are slices of `body`.
    static func outcomes(
        of body: [UInt8],
        records: Int,
        clean: (_ message: String, _ record: Int) -> String = { message, _ in message }
    ) throws(MalformedAnswer) -> [RecordOutcome] {
        let answer = Payload(body)
        return try withoutActuallyEscaping(clean) { (clean) throws(MalformedAnswer) -> [RecordOutcome] in
            try body.withUnsafeBufferPointer { (bytes) throws(MalformedAnswer) -> [RecordOutcome] in
                var reader = Reader(scanner: AnswerScanner(bytes), body: answer, clean: clean)
                return try reader.read(records: records)
            }
        }
    }

    /// The answer of PutRecord, which is one such entry: `{"SequenceNumber":"…","ShardId":"…"}`. Where nothing is known of
    /// the record, it is unintelligible.
    static func outcome(
        ofPutRecord body: [UInt8],
        clean: (_ message: String, _ record: Int) -> String = { message, _ in message }
    ) throws(MalformedAnswer) -> RecordOutcome {
        let answer = Payload(body)
        return try withoutActuallyEscaping(clean) { (clean) throws(MalformedAnswer) -> RecordOutcome in
            try body.withUnsafeBufferPointer { (bytes) throws(MalformedAnswer) -> RecordOutcome in
                var reader = Reader(scanner: AnswerScanner(bytes), body: answer, clean: clean)
                return try reader.readOne()
            }
        }
    }

    private struct Reader {
        var scanner: AnswerScanner
        let body: Payload
        let clean: (String, Int) -> String
        var isAnyKnown = false
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

        mutating func readOne() throws(MalformedAnswer) -> RecordOutcome {
            let outcome = try entry(0)
            try scanner.expectEnd()
            if !isAnyKnown { throw scanner.malformed("it has neither a sequence number nor an error code") }
            return outcome
        }

        private mutating func entries(_ records: Int) throws(MalformedAnswer) -> [RecordOutcome] {
            var outcomes: [RecordOutcome] = []
            outcomes.reserveCapacity(records)
            try scanner.expect("[")
            var first = true
            while try scanner.next(before: "]", first: &first) {
                if outcomes.count == records { throw scanner.malformed("it has more entries than \(records)") }
                outcomes.append(try entry(outcomes.count))
            }
            if outcomes.count != records {
                throw scanner.malformed("it has \(outcomes.count) entries for \(records) records")
            }
            if !isAnyKnown {
                throw scanner.malformed("no entry has a sequence number or an error code")
            }
            return outcomes
        }

        private mutating func entry(_ record: Int) throws(MalformedAnswer) -> RecordOutcome {
            guard scanner.peek() == UInt8(ascii: "{") else {
                try scanner.skipValue()
                return Self.unknown
            }
            var sequenceNumber: AnswerScanner.Text?
            var shard: AnswerScanner.Text?
            var errorCode: AnswerScanner.Text?
            var errorMessage: AnswerScanner.Text?
            try scanner.expect("{")
            var first = true
            while try scanner.next(before: "}", first: &first) {
                let name = try scanner.memberName()
                if scanner.text(name, is: "SequenceNumber") {
                    sequenceNumber = try scanner.scalar()
                } else if scanner.text(name, is: "ShardId") {
                    shard = try scanner.scalar()
                } else if scanner.text(name, is: "ErrorCode") {
                    errorCode = try scanner.scalar()
                } else if scanner.text(name, is: "ErrorMessage") {
                    errorMessage = try scanner.scalar()
                } else {
                    try scanner.skipValue()
                }
            }
            if let errorCode, !errorCode.range.isEmpty, !scanner.text(errorCode, is: "0") {
                isAnyKnown = true
                let text = errorMessage.map { message.string($0, scanner) { clean($0, record) } } ?? ""
                return .refused(code: code.string(errorCode, scanner, Self.code), message: text)
            }
            if let sequenceNumber, !sequenceNumber.range.isEmpty {
                isAnyKnown = true
                return .accepted(sequenceNumber: payload(sequenceNumber), shard: shard.map(payload) ?? .empty)
            }
            return Self.unknown
        }

        private static func code(_ text: String) -> String {
            let name = ErrorAnswer.name(in: text)
            return name.isEmpty ? "unknown_error" : name
        }

        private static let unknown = RecordOutcome.refused(
            code: "unintelligible_entry",
            message: "The answer has neither a sequence number nor an error code for the record."
        )

        private func payload(_ text: AnswerScanner.Text) -> Payload {
            text.isEscaped ? Payload(scanner.unescaped(text)) : body[text.range]
        }
    }

    /// Throttling fails many entries with one and the same text: it becomes a string once.
    private struct LastText {
        private var last: (text: AnswerScanner.Text, string: String)?

        mutating func string(
            _ text: AnswerScanner.Text,
            _ scanner: AnswerScanner,
            _ clean: (String) -> String
        ) -> String {
            if let last, scanner.same(last.text, text) { return last.string }
            let string = clean(scanner.decoded(text))
            last = (text, string)
            return string
        }
    }
}
