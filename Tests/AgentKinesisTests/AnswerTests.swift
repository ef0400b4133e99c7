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
        #"{"Records":[{"SequenceNumber":1,"ShardId":"s"}]}"#, #"{"Records":[{"SequenceNumber":"","ShardId":"s"}]}"#,
        #"{"Records":[{"SequenceNumber":"1"}]}"#, #"{"Records":[{"SequenceNumber":"1","ShardId":"s"}]} x"#,
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
