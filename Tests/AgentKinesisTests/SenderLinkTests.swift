// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Dispatch
import Testing

@testable import AgentKinesis

/// Slow links, dead ones, and what stands between.
@Suite struct SenderLinkTests {
    @Test func anAnswerMayTakeLongerThanTheStallLimit() {
        let server = ScriptedServer([.late(accepted(1), seconds: 2.5)])
        let outcome = sender(to: server.url, stallTimeout: .milliseconds(100)).send(request([record("x")]))
        #expect(outcome.lines?.count == 1)
    }

    @Test func aBodyThatIsNotReadEndsWithTheStallLimit() {
        let until = DispatchSemaphore(value: 0)
        let server = ScriptedServer([.unread(until: until)])
        let large = OutgoingRecord(
            partitionKey: "k",
            explicitHashKey: "",
            data: Payload([UInt8](repeating: 7, count: 9 << 20))
        )
        let failure = sender(to: server.url, stallTimeout: .milliseconds(100), requestTimeout: .seconds(60))
            .send(request([large])).failure
        until.signal()
        #expect(failure?.kind == .transport)
        #expect(failure?.isTimeout == true && failure?.asksForLess == true)
        #expect(failure?.message.contains("not a byte moved for") == true)
    }

    /// Long before the stall limit, which is 12 s.
    @Test func aKeptConnectionThatDiedWithoutAWordIsFoundSoon() {
        let server = ScriptedServer([.answerThenDie(accepted(1)), .answer(accepted(1))])
        let sender = sender(to: server.url, stallTimeout: .seconds(12), requestTimeout: .seconds(60))
        #expect(sender.send(request([record("1")])).lines?.count == 1)
        let start = ContinuousClock.now
        let failure = sender.send(request([record("2")])).failure
        #expect(ContinuousClock.now - start < .seconds(12))
        #expect(failure?.kind == .transport && failure?.isTimeout == true)
        #expect(sender.send(request([record("3")])).lines?.count == 1)
    }

    @Test(arguments: [400, 403, 404, 407, 413, 417, 421, 426])
    func anAnswerThatIsNotKinesissCondemnsNothing(_ status: Int) throws {
        let server = ScriptedServer([
            .answer(
                "<html>No, says the proxy</html>",
                status: status,
                headers: ["Server: squid", "Content-Type: text/html"]
            )
        ])
        let failure = try #require(sender(to: server.url).send(request([record("x")])).failure)
        #expect(failure.kind == .foreign)
        #expect(Disposition(failure) == .endpoint)
        #expect(failure.message.contains("Something else than Kinesis") && failure.message.contains("(squid)"))
        #expect(failure.message.contains("HTTP \(status)"))
        #expect(failure.asksForLess == (status == 413))
    }

    @Test func kinesissOwnRefusalOfASizeIsTheRecords() throws {
        let server = ScriptedServer([.answer("", status: 413, headers: ["x-amzn-RequestId: r"])])
        let failure = try #require(sender(to: server.url).send(request([record("x")])).failure)
        #expect(failure.kind == .response && Disposition(failure) == .record)
    }

    @Test(arguments: [201, 202]) func anyStatusOfSuccessIsOne(_ status: Int) {
        let server = ScriptedServer([.answer(accepted(1), status: status)])
        #expect(sender(to: server.url).send(request([record("x")])).lines?.count == 1)
    }

    @Test(arguments: ["x@127.0.0.1:1/", "us-east-1\r\nX-Evil: 1", "a b", "", "us-east-1.evil.example"])
    func aRegionThatIsNoneIsNotConnectedTo(_ region: String) throws {
        for endpoint in ["", "http://127.0.0.1:\(ScriptedServer.closedPort())"] {
            let failure = try #require(sender(to: endpoint).send(request([record("x")], region: region)).failure)
            #expect(failure.kind == .connect && failure.code == "invalid_region")
            #expect(failure.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        }
    }

    @Test(arguments: ["http://user:hush@127.0.0.1:1", "http://127.0.0.1:1\r\nX-Evil: 1"])
    func noSecretOfTheEndpointAndNoLineEndIsInAMessage(_ url: String) {
        let failure = sender(to: url).send(request([record("x")])).failure
        #expect(failure?.message.contains("\n") == false)
    }

    @Test func whatTheServiceEchoesIsNotRepeated() throws {
        let credentials = Credentials(
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: "a-secret-of-many-characters",
            sessionToken: "a-token-of-many-characters",
            source: "a test"
        )
        let echo = "'a-token-of-many-characters' signed 'a very private payload', YSB2ZXJ5IHByaXZhdGUgcGF5bG9hZA=="
        let failed = "{\"Records\":[{\"ErrorCode\":\"E\",\"ErrorMessage\":\"\(echo)\"}]}"
        let server = ScriptedServer([
            .answer("{\"__type\":\"InvalidSignatureException\",\"message\":\"\(echo)\"}", status: 400),
            .answer("<html>\(echo)", status: 502), .answer(failed),
        ])
        let sender = sender(to: server.url, provider: FixedProvider(.success(credentials)))
        var shown: [String] = []
        for _ in 0..<3 {
            let outcome = sender.send(request([record("a very private payload")]))
            shown.append(outcome.failure?.message ?? outcome.lines?.joined() ?? "")
        }
        for text in shown {
            #expect(text.contains("[left out]' signed '[left out]'"), "\(text)")
            for secret in ["token-of", "private", "YSB2ZXJ5"] { #expect(!text.contains(secret), "\(text)") }
        }
    }

    /// An event may be a line of a log that speaks of the same fault.
    @Test func whatEventsSayHidesNeitherACodeNorAShard() {
        let text = "Rate exceeded for shard shardId-000000000001 in stream clicks under account 1."
        let code = "ProvisionedThroughputExceededException"
        let server = ScriptedServer([
            .answer("{\"Records\":[{\"ErrorCode\":\"\(code)\",\"ErrorMessage\":\"\(text)\"}]}")
        ])
        #expect(sender(to: server.url).send(request([record("\(code): \(text)")])).lines == ["\(code): \(text)"])
    }

    @Test func eachEndpointIsSignedForWithItsOwnTime() throws {
        let off = ["Date: Wed, 02 Jan 2030 03:04:05 GMT", "x-amzn-RequestId: r"]
        let (odd, right) = (
            ScriptedServer([.answer(accepted(1), headers: off), .answer(accepted(1), headers: off)]),
            ScriptedServer([.answer(accepted(1)), .answer(accepted(1))])
        )
        var settings = KinesisSettings()
        settings.endpoint = { [urls = (odd.url, right.url)] in $0.stream == "odd" ? urls.0 : urls.1 }
        let sender = KinesisSender(settings: settings, clocks: EndpointClocks()) { _ in FixedProvider() }
        for stream in ["odd", "right", "odd", "right"] {
            let destination = Destination(region: "us-east-1", stream: stream)
            let outcome = sender.send(OutgoingRequest(destination: destination, records: [record("x")]))
            #expect(outcome.lines?.count == 1)
        }
        let years = { (server: ScriptedServer) in server.requests().map { $0.values("x-amz-date")[0].prefix(4) } }
        #expect(years(odd).last == "2030" && years(odd).first != "2030")
        #expect(!years(right).contains("2030"))
    }
}
