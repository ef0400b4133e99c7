// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentKinesis

@Suite struct PutRecordsAnswerTests {
    @Test(arguments: [
        #"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}"#,
        #"{"Records":[{"ShardId":"s","SequenceNumber":"1"}],"FailedRecordCount":0}"#,
        "\r\n { \"Records\" : [ { \"ShardId\" : \"s\" ,\n\t\"SequenceNumber\" : \"1\" } ] , \"New\" : { \"a\" : [ 1 , -2.5e3 , true , null , { } ] } } ",
        #"{"Records":[{"SequenceNumber":"1","ShardId":"s","ErrorCode":null,"ErrorMessage":null}]}"#,
        #"{"Records":[{"SequenceNumber":"\u0031","ShardId":"\u0073"}]}"#,
        #"{"\u0052ecords":[{"SequenceNumber":"1","ShardId":"s"}],"x":"\"}]"}"#,
    ])
    func readsAStoredRecord(_ body: String) throws {
        #expect(try lines(body, records: 1) == ["1 s"])
    }

    @Test(arguments: [
        (#"{"SequenceNumber":"1","ShardId":"s","ErrorCode":""}"#, "1 s"),
        (#"{"SequenceNumber":"1","ShardId":"s","ErrorCode":null}"#, "1 s"),
        (#"{"SequenceNumber":"1","ShardId":"s","ErrorCode":0,"ErrorMessage":"ok"}"#, "1 s"),
        (#"{"SequenceNumber":"1","ShardId":"s","ErrorCode":false}"#, "1 s"),
        (
            #"{"SequenceNumber":49590338271490256608559692538361571095921575989136588898,"ShardId":7}"#,
            "49590338271490256608559692538361571095921575989136588898 7"
        ),
        (#"{"SequenceNumber":"1"}"#, "1 "), (#"{"SequenceNumber":"1","ShardId":null}"#, "1 "),
        (#"{"SequenceNumber":"1","ShardId":"s","ErrorCode":"InternalFailure"}"#, "InternalFailure: "),
        (#"{"ErrorCode":500,"ErrorMessage":12}"#, "500: 12"),
        (#"{"ErrorCode":"E","ErrorMessage":{"a":1}}"#, "E: "),
        (#"{"ErrorCode":"x#InternalFailure:y"}"#, "InternalFailure: "),
        (#"{"ErrorCode":"<b>\n"}"#, "unknown_error: "),
    ])
    func whatAContradictoryEntryCountsAs(_ entry: String, _ line: String) throws {
        #expect(try lines("{\"Records\":[\(entry)]}", records: 1) == [line])
    }

    /// The others need not be sent again.
    @Test(arguments: ["{}", "null", "[]", #"{"SequenceNumber":""}"#, #"{"ErrorCode":""}"#, #"{"SequenceNumber":[1]}"#])
    func anEntryThatSaysNothingIsUnknownByItself(_ entry: String) throws {
        let lines = try lines("{\"Records\":[{\"SequenceNumber\":\"1\",\"ShardId\":\"s\"},\(entry)]}", records: 2)
        #expect(lines.first == "1 s")
        #expect(lines.last?.hasPrefix("unintelligible_entry: ") == true)
        #expect(Disposition(entryCode: "unintelligible_entry") == .transient)
    }

    @Test func theNumberOfFailuresIsNotLookedAt() throws {
        let body = #"{"FailedRecordCount":9,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}"#
        #expect(try lines(body, records: 1) == ["1 s"])
    }

    @Test func aByteOrderMarkIsPassedOver() throws {
        #expect(try lines("\u{feff}" + accepted(1), records: 1) == ["49570 shardId-000000000000"])
    }

    /// Members of every kind in every place: what comes out is what the table above says, and nothing else.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func entriesOfAnyMembersAreJudgedByTheRules(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let values = [
            "null", "\"\"", "0", "1", "-7", "2.5e3", "\"7\"", "\"x\\u0041\"", "true", "false", "{\"a\":[1,\"]\"]}",
            "[]",
        ]
        for _ in 0..<200 {
            var entries: [String] = []
            var expected: [Bool?] = []
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                var members: [String: String] = [:]
                for name in ["SequenceNumber", "ShardId", "ErrorCode", "ErrorMessage", "Other"] {
                    if Bool.random(using: &generator) { members[name] = values.randomElement(using: &generator) }
                }
                let order = members.shuffled(using: &generator)
                entries.append("{" + order.map { "\"\($0.key)\": \($0.value)" }.joined(separator: " ,") + "}")
                let scalars = members.filter {
                    !["null", "true", "false", "[]"].contains($0.value) && $0.value.first != "{"
                }
                let code = scalars["ErrorCode"].map { $0 != "\"\"" && $0 != "0" } ?? false
                let number = scalars["SequenceNumber"].map { $0 != "\"\"" } ?? false
                expected.append(code ? false : number ? true : nil)
            }
            let body = Array("{\"Records\":[\(entries.joined(separator: ","))]}".utf8)
            let outcomes = try? PutRecordsAnswer.outcomes(of: body, records: entries.count)
            if expected.allSatisfy({ $0 == nil }) {
                #expect(outcomes == nil)
                continue
            }
            let found = try #require(outcomes).map { outcome -> Bool? in
                switch outcome {
                case .accepted: true
                case .refused("unintelligible_entry", _): nil
                case .refused: false
                }
            }
            #expect(found == expected, "\(entries)")
        }
    }

    /// Bytes that were damaged on the way give an answer or none, and never an accepted record that has no number.
    @Test(arguments: 1...20 as ClosedRange<UInt64>) func damagedAnswersAreSafe(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let whole = Array(accepted(3).utf8)
        for _ in 0..<500 {
            var body = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let at = Int.random(in: body.indices, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: body[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: body.remove(at: at)
                default: body.insert(contentsOf: body[at...].prefix(40), at: at)
                }
            }
            guard let outcomes = try? PutRecordsAnswer.outcomes(of: body, records: 3) else { continue }
            #expect(outcomes.count == 3)
            for case .accepted(let number, _) in outcomes { #expect(number.count > 0) }
        }
    }

    @Test func readsRefusedRecordsWithTheirText() throws {
        let body = #"""
            {"FailedRecordCount":2,"Records":[{"ErrorCode":"InternalFailure","ErrorMessage":"a\n\"é\"\ud83d\ude00\ud800"},
            {"SequenceNumber":"2","ShardId":"t"},{"ErrorCode":"InternalFailure"}]}
            """#
        #expect(
            try lines(body, records: 3) == [
                "InternalFailure: a\n\"é\"😀\u{fffd}", "2 t", "InternalFailure: ",
            ]
        )
    }

    @Test func boundsAMessage() throws {
        let body = "{\"Records\":[{\"ErrorCode\":\"E\",\"ErrorMessage\":\"\(String(repeating: "é", count: 5000))\"}]}"
        let line = try #require(try lines(body, records: 1).first)
        #expect(line.utf8.count < 1100)
        #expect(!line.contains("\u{fffd}"))
    }

    @Test func everyCutOfAnAnswerIsMalformed() throws {
        let body = Array(accepted(2).utf8)
        #expect(try PutRecordsAnswer.outcomes(of: body, records: 2).count == 2)
        for count in body.indices {
            #expect(throws: MalformedAnswer.self) {
                try PutRecordsAnswer.outcomes(of: Array(body[..<count]), records: 2)
            }
        }
    }

    @Test(arguments: [
        #"[]"#, #"null"#, #"{"Records":null}"#, #"{"Records":{}}"#, #"{"Records":[null]}"#, #"{"Records":[{}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ShardId":"s"},]}"#,
        #"{"Records":[,{"SequenceNumber":"1","ShardId":"s"}]}"#,
        #"{"Records":[{"SequenceNumber":"","ShardId":"s"}]}"#, #"{"Records":[{"SequenceNumber":true}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ShardId":"s"}]} x"#, #"{"Records":[{"SequenceNumber":1-2}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ShardId":"\x"}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ShardId":"\u12g4"}]}"#,
        "{\"Records\":[{\"SequenceNumber\":\"1\n\",\"ShardId\":\"s\"}]}", #"{"a":tru,"Records":[]}"#, #"{"a" 1}"#,
        #"{"Records":[{"SequenceNumber":"1","ShardId":"s"}],}"#,
        "{\"a\":" + String(repeating: "[", count: 100_000),
    ])
    func whatIsNotAnAnswerIsMalformed(_ body: String) {
        #expect(throws: MalformedAnswer.self) { try lines(body, records: 1) }
    }

    @Test(arguments: [0, 1, 3, 500]) func countsTheEntries(_ entries: Int) {
        #expect(throws: MalformedAnswer.self) { try lines(accepted(entries), records: 2) }
    }

    private func lines(_ body: String, records: Int) throws -> [String] {
        try PutRecordsAnswer.outcomes(of: Array(body.utf8), records: records).map(\.line)
    }
}

@Suite struct ErrorAnswerTests {
    @Test(
        arguments: [
            (#"{"__type":"ExpiredTokenException","message":"m"}"#, nil, "ExpiredTokenException", "m"),
            (
                #"{"__type":"com.amazonaws.kinesis.v20131202#LimitExceededException","Message":"m"}"#, nil,
                "LimitExceededException", "m"
            ),
            (
                #"{"message":"m"}"#, "AccessDeniedException:http://internal.amazon.com/coral/", "AccessDeniedException",
                "m"
            ),
            (#"{"__type":"Other","message":"m"}"#, "prefix#InternalFailure:x", "InternalFailure", "m"),
            (#"{"__type":"Some","message":"m"}"#, "", "Some", "m"),
            (#"{"__type":7,"message":{"a":1},"Message":"m"}"#, nil, "", "m"),
            (#"{"__type":"<script>","message":"a \"b\""}"#, nil, "", "a \"b\""),
        ] as [(String, String?, String, String)]
    )
    func readsNameAndText(_ body: String, _ header: String?, _ code: String, _ message: String) {
        let answer = ErrorAnswer(status: 400, errorType: header, contentType: nil, body: Array(body.utf8))
        #expect(answer.code == code)
        #expect(answer.message == message)
    }

    @Test func saysThatThereWasNoBody() {
        let answer = ErrorAnswer(status: 503, errorType: nil, contentType: nil, body: [])
        #expect(answer.code == "")
        #expect(answer.message == "HTTP 503 without a body")
    }

    @Test(arguments: ["<html>\n<b>Log in</b>", "{\"message\":\"cut", "{}", "\u{1b}[2J binary"])
    func showsTheBeginningOfAForeignBody(_ body: String) {
        let answer = ErrorAnswer(status: 511, errorType: nil, contentType: "text/html", body: Array(body.utf8))
        #expect(answer.code == "")
        #expect(answer.message.hasPrefix("HTTP 511 with a body that is not Kinesis's (text/html): "))
        #expect(answer.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        #expect(answer.message.utf8.count < 300)
    }
}
