// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Testing

@testable import AgentControl

@Suite struct ControlRequestTests {
    private func refusal(_ line: String) -> ControlError? {
        do throws(ControlError) {
            _ = try ControlDesk(ScriptedHandler().handlers).read(Array(line.utf8))
            return nil
        } catch {
            return error
        }
    }

    private func refusal(of verb: String, _ with: String) -> String? {
        refusal(#"{"v":1,"verb":"\#(verb)","with":\#(with)}"#)?.message
    }

    @Test(arguments: [
        ("peek", #"{"stream":"a","limit":1,"after":9223372036854775807}"#),
        ("peek", #"{"stream":"a","limit":1,"after":-1}"#),
        ("peek", #"{"stream":"a","limit":1,"after":1e300}"#),
        ("peek", #"{"stream":"a","limit":0}"#), ("peek", #"{"stream":"a","limit":9223372036854775807}"#),
        ("peek", #"{"stream":"a","limit":1,"max_bytes":9999999999}"#),
        ("peek", #"{"stream":"a","limit":99999999999999999999999999999}"#),
        ("flush", #"{"timeout_seconds":1e300}"#), ("flush", #"{"timeout_seconds":1e999}"#),
        ("flush", #"{"timeout_seconds":-1}"#), ("flush", #"{"timeout_seconds":604801}"#),
        ("dead_letter", #"{"id":-9223372036854775808}"#), ("dead_letter", #"{"id":0}"#),
        ("dead_letter", #"{"id":9223372036854775807}"#), ("dead_letter", #"{"id":1.5}"#),
        ("dead_letters", #"{"limit":-5}"#), ("dead_letters", #"{"limit":1,"after":-9223372036854775808}"#),
        ("requeue", #"{"which":{"ids":{"_0":[1,-1]}},"dry_run":true}"#),
        ("requeue", #"{"which":{"stream":{"_0":"a"}},"dry_run":true,"after":9223372036854775807}"#),
        ("requeue", #"{"which":{"stream":{"_0":"a"}},"dry_run":true,"through":-1}"#),
        ("purge_dead_letters", #"{"all":true,"dry_run":true,"older_than_seconds":-1}"#),
        ("purge_dead_letters", #"{"all":true,"dry_run":true,"older_than_seconds":1e300}"#),
    ])
    func aNumberOutOfRangeIsRefusedWithTheRangeAndTheNumber(verb: String, with: String) throws {
        let message = try #require(refusal(of: verb, with))
        #expect(message.contains("number from"), "\(message)")
        #expect(message.contains(", and was "), "\(message)")
    }

    @Test func theBoundsThemselvesAreTaken() {
        let last = "9223372036854775806"
        #expect(refusal(of: "peek", #"{"stream":"a","limit":10000,"after":\#(last),"max_bytes":4194304}"#) == nil)
        #expect(refusal(of: "dead_letter", #"{"id":\#(last)}"#) == nil)
        #expect(refusal(of: "flush", #"{"timeout_seconds":604800}"#) == nil)
        #expect(refusal(of: "flush", #"{"timeout_seconds":0}"#) == nil)
    }

    @Test(arguments: [
        "null", "true", "7", #""a""#, "[]", "{}", #"{"stream":7,"limit":1}"#, #"{"stream":"a","limit":"1"}"#,
        #"{"stream":"a b","limit":1}"#, #"{"stream":"a@","limit":1}"#, #"{"stream":"","limit":1}"#,
        #"{"stream":"a@evil.example.com/x","limit":1}"#, #"{"stream":"a@us\r\nx: y","limit":1}"#,
        #"{"stream":"a@x@h:1","limit":1}"#, #"{"stream":"\ud800","limit":1}"#,
    ])
    func whatIsNoArgumentIsRefused(with: String) {
        #expect(refusal(of: "peek", with) != nil)
    }

    @Test func aKeyIsCheckedAsAtTheOtherDoors() throws {
        func send(_ key: String, _ events: String = #"["eA=="]"#) -> String? {
            refusal(
                of: "send",
                #"{"stream":"a","partition_key":"\#(key)","events_base64":\#(events),"json":false}"#
            )
        }
        #expect(send("") == nil)
        #expect(send(String(repeating: "ü", count: 256)) == nil)
        #expect(send(String(repeating: "ü", count: 257))?.contains("more than 256 characters") == true)
        #expect(send(#"\ud800"#) != nil, "half a surrogate pair is no text")
        #expect(send("", "[]") != nil)
        #expect(send("", #"[""]"#) != nil, "an empty event")
        #expect(send("", #"["%"]"#) != nil)
    }

    @Test(arguments: [
        #""#, #""all":false,"#, #""all":null,"#, #""all":true,"stream":"a","#, #""ids":[1],"all":true,"#,
        #""ids":["1"],"#, #""ids":[0],"#, #""stream":"*","#, #""all":1,"#,
    ])
    func whatAPurgeIsToDestroyIsNeverGuessed(which: String) {
        let rest = #""older_than_seconds":0,"dry_run":false}"#
        #expect(refusal(of: "purge_dead_letters", "{\(which)\(rest)") != nil)
        #expect(refusal(of: "purge_dead_letters", "{\"all\":true,\(rest)") == nil)
    }

    @Test func depthIsBoundedBeforeAnythingIsDecoded() {
        for depth in [513, 100_000] {
            for text in [String(repeating: "[", count: depth), String(repeating: #"{"v":"#, count: depth)] {
                #expect(refusal(text)?.message.contains("nested deeper than") == true)
            }
        }
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(refusal(#"{"v":1,"verb":"status","other":\#(deep)}"#) == nil)
        #expect(refusal(of: "peek", #"{"stream":\#(deep),"limit":1}"#) != nil)
    }

    @Test func moreMembersIdsOrEventsThanAnyRequestHasAreRefused() {
        let members = (0..<100_000).map { #""m\#($0)":1"# }.joined(separator: ",")
        #expect(refusal("{\(members)}") != nil)
        let ids = Array(repeating: "1", count: 1001).joined(separator: ",")
        #expect(refusal(of: "requeue", #"{"which":{"ids":{"_0":[\#(ids)]}},"dry_run":true}"#) != nil)
        let events = Array(repeating: #""eA==""#, count: 10_001).joined(separator: ",")
        #expect(
            refusal(of: "send", #"{"stream":"a","partition_key":"","events_base64":[\#(events)],"json":true}"#) != nil
        )
    }

    @Test func whatIsQuotedInARefusalIsSafe() throws {
        let verb = try #require(refusal(#"{"v":1,"verb":"\u001b[2J\u009b"}"#)?.message)
        #expect(verb.contains("\\u{1b}[2J\\u{9b}"))
        let stream = try #require(refusal(of: "pause", "{\"stream\":\"a\u{202e}\u{85}\"}"))
        #expect(stream.contains("\\u{202e}\\u{85}"))
        let long = try #require(refusal(of: "pause", #"{"stream":"\#(String(repeating: "x", count: 99_999))"}"#))
        #expect(long.utf8.count < 200)
    }

    /// Byte for byte: an agentctl and an agentd of other versions speak it too.
    @Test func whatAClientWritesStaysAsItIs() throws {
        func written(_ request: some ControlVerb) throws -> String {
            String(decoding: try ControlProtocol.encode(request), as: UTF8.self)
        }
        func line(_ verb: String, _ with: String) -> String { #"{"v":1,"verb":"\#(verb)","with":\#(with)}"# + "\n" }
        let stream = StreamReference(name: "a", region: "eu-west-1")
        #expect(try written(StatusRequest()) == line("status", "{}"))
        #expect(
            try written(PeekRequest(stream: stream, after: 7, limit: 3))
                == line("peek", #"{"after":7,"limit":3,"max_bytes":4194304,"stream":"a@eu-west-1"}"#)
        )
        #expect(
            try written(
                SendRequest(stream: stream, keys: [EventKey(partitionKey: "k")], events: [Payload("x")], isJSON: true)
            )
                == line(
                    "send",
                    #"{"events_base64":["eA=="],"json":true,"partition_key":"k","stream":"a@eu-west-1"}"#
                )
        )
        #expect(try written(FlushRequest(timeoutSeconds: 0.5)) == line("flush", #"{"timeout_seconds":0.5}"#))
        #expect(try written(PauseRequest(stream)) == line("pause", #"{"stream":"a@eu-west-1"}"#))
        #expect(try written(ResumeRequest(stream)) == line("resume", #"{"stream":"a@eu-west-1"}"#))
        #expect(
            try written(DeadLetterQuery(stream: nil, limit: 2))
                == line("dead_letters", #"{"after":0,"limit":2,"max_bytes":4194304}"#)
        )
        #expect(try written(DeadLetterRequest(id: 5)) == line("dead_letter", #"{"id":5}"#))
        #expect(
            try written(RequeueRequest(.ids([1, 2]), dryRun: true))
                == line("requeue", #"{"after":0,"dry_run":true,"through":0,"which":{"ids":{"_0":[1,2]}}}"#)
        )
        #expect(
            try written(RequeueRequest(.stream(stream), dryRun: false, after: 3, through: 9))
                == line(
                    "requeue",
                    #"{"after":3,"dry_run":false,"through":9,"which":{"stream":{"_0":"a@eu-west-1"}}}"#
                )
        )
        #expect(
            try written(PurgeDeadLettersRequest(.all, olderThanSeconds: 60, dryRun: true))
                == line(
                    "purge_dead_letters",
                    #"{"after":0,"all":true,"dry_run":true,"older_than_seconds":60,"through":0}"#
                )
        )
    }

    @Test func everyRequestOfAClientIsReadAsItWasMeant() throws {
        let stream = StreamReference(name: "clicks", region: "eu-west-1")
        let requests: [any ControlVerb] = [
            StatusRequest(), PeekRequest(stream: stream, after: 7, limit: 3, maxBytes: 99),
            SendRequest(
                stream: stream,
                keys: [EventKey(partitionKey: "ü\"\n")],
                events: [Payload([0xff])],
                isJSON: false
            ),
            FlushRequest(timeoutSeconds: 0.25), PauseRequest(stream), ResumeRequest(stream),
            DeadLetterQuery(stream: nil, after: 1, limit: 2), DeadLetterQuery(stream: stream, limit: 2),
            DeadLetterRequest(id: 5), RequeueRequest(.ids([1, 2]), dryRun: true),
            RequeueRequest(.stream(stream), dryRun: false, after: 3, through: 9),
            PurgeDeadLettersRequest(.ids([1, 2]), dryRun: true),
            PurgeDeadLettersRequest(.stream(stream), olderThanSeconds: 0.5, dryRun: false, after: 3, through: 9),
            PurgeDeadLettersRequest(.all, dryRun: true),
        ]
        let desk = ControlDesk(ScriptedHandler().handlers)
        for request in requests {
            let line = try ControlProtocol.encode(request)
            let read = try desk.read(Array(line.dropLast())).request
            #expect("\(read)" == "\(request)")
        }
    }
}

@Suite struct LineBufferTests {
    @Test(arguments: [1, 2, 3, 7, 64, 1000]) func linesAreTheSameHoweverTheyArrive(block: Int) {
        let lines = (0..<200).map { Array(String(repeating: "x", count: $0 * 7 % 50).utf8) }
        let bytes = lines.flatMap { $0 + [UInt8(ascii: "\n")] } + Array("rest".utf8)
        var buffer = LineBuffer()
        var found: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + block, bytes.count)
            buffer.append(bytes[start..<end])
            start = end
            if found.count % 3 != 1 || start == bytes.count {
                while let line = buffer.next() { found.append(line) }
            } else if let line = buffer.next() {
                found.append(line)
            }
        }
        #expect(found == lines)
        #expect(buffer.count == 4)
    }
}
