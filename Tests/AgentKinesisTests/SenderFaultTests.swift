// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Dispatch
import Testing

@testable import AgentKinesis

@Suite struct SenderFaultTests {
    @Test func withoutCredentialsNothingIsSent() {
        let provider = FixedProvider(.failure(.notFound(lookedAt: ["environment variables"])))
        let url = "http://127.0.0.1:\(ScriptedServer.closedPort())"
        let failure = sender(to: url, provider: provider).send(request([record("x")])).failure
        #expect(failure?.kind == .noCredentials)
        #expect(failure?.code == "no_credentials")
        #expect(failure?.message.contains("environment variables") == true)
    }

    @Test func refusedConnectionSentNothing() {
        let url = "http://127.0.0.1:\(ScriptedServer.closedPort())"
        let failure = sender(to: url).send(request([record("x")])).failure
        #expect(failure?.kind == .connect)
        #expect(failure?.code == "" && failure?.isTimeout == false)
        #expect(failure?.status == 0)
        #expect(failure?.message.contains(url) == true)
    }

    @Test func unknownHostSentNothing() {
        let failure = sender(to: "http://no-such-host.invalid").send(request([record("x")])).failure
        #expect(failure?.kind == .connect)
        #expect(failure?.code == "dns")
    }

    @Test func plainServerInPlaceOfTLSSentNothing() {
        let server = ScriptedServer([.resetUnread])
        let failure = sender(to: server.url.replacing("http:", with: "https:")).send(request([record("x")])).failure
        #expect(failure?.kind == .connect)
    }

    @Test(arguments: [
        ScriptedServer.Step.close, .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"Rec"),
    ])
    func cutConnectionMayHaveStoredTheRecords(_ step: ScriptedServer.Step) {
        let server = ScriptedServer([step, .answer(accepted(1))])
        let sender = sender(to: server.url)
        #expect(sender.send(request([record("x")])).failure?.kind == .transport)
        #expect(sender.send(request([record("x")])).lines?.count == 1)
    }

    /// A reset may come before or after the first byte was sent.
    @Test func resetConnectionIsReplaced() {
        let server = ScriptedServer([.resetUnread, .answer(accepted(1))])
        let sender = sender(to: server.url)
        let kind = sender.send(request([record("x")])).failure?.kind
        #expect(kind == .connect || kind == .transport)
        #expect(sender.send(request([record("x")])).lines?.count == 1)
    }

    /// libcurl would repeat the request by itself on a new connection, and hide that the first one may have been taken.
    @Test func cutOfAKeptConnectionIsNotRepeatedUnseen() {
        let server = ScriptedServer([.answer(accepted(1)), .close, .answer(accepted(1))])
        let sender = sender(to: server.url)
        #expect(sender.send(request([record("1")])).lines?.count == 1)
        #expect(sender.send(request([record("2")])).failure?.kind == .transport)
        #expect(sender.send(request([record("3")])).lines?.count == 1)
        #expect(server.requests().count == 3)
    }

    @Test func silenceEndsWithTheTimeout() {
        let (reached, until) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let server = ScriptedServer([.silence(reached: reached, until: until)])
        let outcome = sender(to: server.url, requestTimeout: .milliseconds(100)).send(request([record("x")]))
        until.signal()
        #expect(outcome.failure?.kind == .transport)
        #expect(outcome.failure?.isTimeout == true)
    }

    @Test func cancellationEndsTheRunningRequestAndLaterOnes() {
        let (reached, until) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let server = ScriptedServer([.silence(reached: reached, until: until)])
        let sender = sender(to: server.url)
        let cancellation = sender.cancellation
        DispatchQueue.global().async {
            reached.wait()
            cancellation.cancel()
        }
        let start = ContinuousClock.now
        let outcome = sender.send(request([record("x")]))
        until.signal()
        #expect(outcome.failure?.kind == .transport)
        #expect(outcome.failure?.message == "the request was cancelled")
        #expect(ContinuousClock.now - start < .seconds(8), "long before its time-out")
        #expect(sender.send(request([record("x")])).failure?.message == "the request was cancelled")
    }

    @Test(arguments: [
        "", "<html>Welcome to the hotel</html>", "{\"Records\":[]}", accepted(2), "{\"FailedRecordCount\":0}",
        "{\"Records\":[{\"SequenceNumber\":null,\"ShardId\":null}]}", "{\"Records\":[{\"ShardId\":\"s\"}]}",
    ])
    func answerThatCannotBeUnderstoodMayHaveStoredTheRecords(_ body: String) {
        let server = ScriptedServer([.answer(body)])
        let failure = sender(to: server.url).send(request([record("x")])).failure
        #expect(failure?.kind == .unintelligible)
        #expect(failure?.status == 200)
    }

    @Test(arguments: ["", "[]", "{}", #"{"SequenceNumber":"1","ShardId":"s"}x"#, #"{"SequenceNumber":null}"#])
    func answerToPutRecordThatCannotBeUnderstoodMayHaveStoredIt(_ body: String) {
        let server = ScriptedServer([.answer(body)])
        #expect(sender(to: server.url).send(putRecord).failure?.kind == .unintelligible)
    }

    /// It is what PutRecords says of an entry, and says nothing of the stream's other shards.
    @Test func aShardWithoutRoomRefusesThePutRecordAlone() {
        let body = #"{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for shard shardId-7"}"#
        let server = ScriptedServer([
            .answer(body, status: 400), .answer(body, status: 400),
            .answer(#"{"__type":"ResourceNotFoundException"}"#, status: 400),
        ])
        let sender = sender(to: server.url)
        let line = "ProvisionedThroughputExceededException: Rate exceeded for shard shardId-7"
        #expect(sender.send(putRecord).lines == [line])
        #expect(sender.send(request([record("x")])).failure?.code == "ProvisionedThroughputExceededException")
        #expect(sender.send(putRecord).failure?.code == "ResourceNotFoundException")
    }

    private var putRecord: OutgoingRequest {
        OutgoingRequest(
            destination: Destination(region: "us-east-1", stream: "clicks"),
            .putRecord(record("x"), after: "1")
        )
    }

    @Test func answerWithoutEndIsCutOff() {
        let server = ScriptedServer([.answer(accepted(1) + String(repeating: " ", count: 5 << 20))])
        let failure = sender(to: server.url).send(request([record("x")])).failure
        #expect(failure?.kind == .unintelligible)
    }

    @Test func errorOfTheServiceIsReported() {
        let body = "{\"__type\":\"com.amazon.coral#ExpiredTokenException\",\"message\":\"The token is expired\"}"
        let server = ScriptedServer([.answer(body, status: 400, headers: ["x-amz-retry-after: 1500"])])
        let provider = FixedProvider()
        let failure = sender(to: server.url, provider: provider).send(request([record("x")])).failure
        #expect(failure?.kind == .response)
        #expect(failure?.status == 400)
        #expect(failure?.code == "ExpiredTokenException")
        #expect(failure?.message == "The token is expired")
        #expect(failure?.retryAfter == .milliseconds(1500))
        #expect(provider.invalidations == 1)
    }

    @Test(
        arguments: [
            ("x-amz-retry-after: 250", Duration.milliseconds(250)), ("Retry-After: 7", .seconds(7)),
            ("Retry-After: 4000000000", .seconds(3600)), ("Retry-After: Wed, 02 Jan 2030 03:04:05 GMT", nil),
            ("x-amz-retry-after: soon", nil),
        ] as [(String, Duration?)]
    )
    func takesTheWaitThatIsAskedFor(_ header: String, _ wait: Duration?) {
        let server = ScriptedServer([.answer("", status: 503, headers: [header])])
        #expect(sender(to: server.url).send(request([record("x")])).failure?.retryAfter == wait)
    }

    @Test func onlyFaultsOfIdentityRefuseTheCredentials() {
        let server = ScriptedServer([
            .answer("{\"__type\":\"ResourceNotFoundException\"}", status: 400), .answer("", status: 503),
        ])
        let provider = FixedProvider()
        let sender = sender(to: server.url, provider: provider)
        #expect(sender.send(request([record("x")])).failure?.code == "ResourceNotFoundException")
        #expect(sender.send(request([record("x")])).failure?.status == 503)
        #expect(provider.invalidations == 0)
    }

    @Test(arguments: [401, 403, 407, 408, 413, 417, 429, 500, 502, 503, 504])
    func errorStatusOfAnybodyIsOneAnswerToOneRequest(_ status: Int) {
        let server = ScriptedServer([.answer(accepted(1)), .answer("", status: status), .answer(accepted(1))])
        let sender = sender(to: server.url)
        #expect(sender.send(request([record("1")])).lines?.count == 1)
        let failure = sender.send(request([record("2")])).failure
        #expect(failure?.kind == .foreign)
        #expect(failure?.status == status)
        #expect(failure?.code == "")
        #expect(sender.send(request([record("3")])).lines?.count == 1)
        #expect(server.requests().count == 3)
    }

    @Test func anEndpointThatIsNoURLSendsNothing() {
        for url in ["", "ftp://127.0.0.1/", "http://", "nonsense://x"] {
            let failure = sender(to: url.isEmpty ? " " : url).send(request([record("x")])).failure
            #expect(failure?.kind == .connect)
            #expect(failure?.code == "endpoint_url")
        }
    }

    @Test func portalsRedirectIsAnErrorAndIsNotFollowed() {
        let server = ScriptedServer([.answer("", status: 302, headers: ["Location: http://127.0.0.1:1/"])])
        #expect(sender(to: server.url).send(request([record("x")])).failure?.status == 302)
    }
}
