// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import KinesisLocal

@Suite struct Base64Tests {
    private func decode(_ text: String) -> String? {
        var arena = ByteArena(capacity: 16)
        var text = text
        let count = text.withUTF8 { Base64.decode(UnsafeRawBufferPointer($0), into: &arena) }
        return count.map { String(decoding: arena.bytes(0..<$0), as: UTF8.self) }
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func agreesWithTheStandard(plain: String, encoded: String) {
        #expect(Base64.encode(plain) == encoded)
        #expect(decode(encoded) == plain)
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm-_", "=Zm9", "Zg==Zg==",
    ])
    func refusesWhatIsNotBase64(text: String) {
        #expect(decode(text) == nil)
    }

    @Test func everyByteAndLengthSurvives() {
        var random = SeededGenerator(seed: 7)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var text: [UInt8] = []
            bytes.withUnsafeBytes { Base64.encode($0, into: &text) }
            var arena = ByteArena(capacity: 1)
            let count = text.withUnsafeBytes { Base64.decode($0, into: &arena) }
            #expect(count == length)
            #expect(Array(arena.bytes(0..<length)) == bytes)
        }
    }
}

@Suite struct PutRequestTests {
    private struct Read: Equatable {
        var stream: String
        var records: [String]
    }

    /// The request's stream and its records as `key|data|explicit hash key`; `nil` where it is refused.
    private func read(_ body: String) -> Read? {
        var request = PutRequest()
        var body = body
        guard (try? body.withUTF8({ try request.read(UnsafeRawBufferPointer($0)) })) != nil else { return nil }
        var records: [String] = []
        for record in request.records {
            let parts = [record.key, record.data, record.explicitHashKey].map {
                String(decoding: request.arena.bytes($0), as: UTF8.self)
            }
            records.append(parts.joined(separator: "|"))
        }
        return Read(stream: request.stream, records: records)
    }

    @Test func readsMembersInAnyOrderWithAnySpace() {
        let body = """
            { "Records" : [ {"PartitionKey":"a","Data":"Zm9v"} , {"Data":"","ExplicitHashKey":"12","PartitionKey":"b"} ],
              "StreamName":"s" }
            """
        #expect(read(body) == Read(stream: "s", records: ["a|foo|", "b||12"]))
    }

    @Test func skipsMembersThatItDoesNotKnow() {
        let body =
            #"{"X":{"Y":[1,-2.5e3,"}",true,null,{"Z":"\\\""}]},"StreamName":"s","Records":[{"Q":[],"PartitionKey":"k","Data":"Zg=="}]}"#
        #expect(read(body) == Read(stream: "s", records: ["k|f|"]))
    }

    @Test func unescapesKeysAndData() {
        let body = #"{"StreamName":"s","Records":[{"PartitionKey":"\"q\\\u00e9\ud83d\ude00\/","Data":"\/\/8\u003d"}]}"#
        var request = PutRequest()
        var text = body
        #expect(throws: Never.self) { try text.withUTF8 { try request.read(UnsafeRawBufferPointer($0)) } }
        #expect(String(decoding: request.key(request.records[0]), as: UTF8.self) == "\"q\\é😀/")
        #expect(Array(request.data(request.records[0])) == [0xff, 0xff])
    }

    @Test(arguments: [
        "", "[]", "{", "{}x", #"{"Records":}"#, #"{"Records":[{]}"#, #"{"Records":[{"Data":"*"}]}"#,
        #"{"Records":[{"Data":12}]}"#, #"{"Records":[{"PartitionKey":"\x"}]}"#, #"{"StreamName":"s"#,
        #"{"StreamName":"s\"#, #"{"a":tru}"#, #"{"a":1,}"#,
    ])
    func refusesWhatIsNotARequest(body: String) {
        #expect(read(body) == nil)
    }

    @Test func depthIsBounded() {
        let deep = "{\"X\":" + String(repeating: "[", count: 100_000)
        #expect(read(deep) == nil)
    }
}

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "20000229T000000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
        (784_111_777, "19941106T084937Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
        (4_107_542_399, "21000228T235959Z", "Sun, 28 Feb 2100 23:59:59 GMT"),
    ])
    func writesAndReadsDates(seconds: Int64, compact: String, http: String) {
        #expect(UTC.compact(seconds: seconds) == compact)
        #expect(UTC.seconds(compact: compact) == seconds)
        #expect(UTC.http(seconds: seconds) == http)
    }

    @Test func everyDayOfFourCenturiesSurvives() {
        for day in Int64(0)..<146_097 {
            let p = UTC.parts(seconds: day * 86_400 + 43_210)
            let back = UTC.seconds(
                year: p.year,
                month: p.month,
                day: p.day,
                hour: p.hour,
                minute: p.minute,
                second: p.second
            )
            if back != day * 86_400 + 43_210 {
                Issue.record("day \(day) came back as \(back)")
                return
            }
        }
    }
}
