// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Synchronization
import Testing

@testable import AgentKinesis

@Suite struct SenderTests {
    @Test func sendsPutRecordsAndReadsEachRecordsOutcome() throws {
        let answer = """
            {"EncryptionType":"KMS","FailedRecordCount":1,"Records":[{"SequenceNumber":"1","ShardId":"shardId-0"},
            {"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded"}]}
            """
        let server = ScriptedServer([.answer(answer)])
        let outcome = sender(to: server.url).send(
            request([record("a", key: "x"), record("b", key: "y", hashKey: "7")])
        )

        #expect(outcome.lines == ["1 shardId-0", "ProvisionedThroughputExceededException: Rate exceeded"])
        let sent = try #require(server.requests().first)
        #expect(sent.head.hasPrefix("POST / HTTP/1.1\r\n"))
        #expect(sent.values("x-amz-target") == ["Kinesis_20131202.PutRecords"])
        #expect(sent.values("content-type") == ["application/x-amz-json-1.1"])
        #expect(sent.values("x-amz-security-token") == ["TOKEN"])
        #expect(sent.values("expect").isEmpty)
        let body = """
            {"StreamName":"clicks","Records":[{"Data":"YQ==","PartitionKey":"x"},\
            {"Data":"Yg==","PartitionKey":"y","ExplicitHashKey":"7"}]}
            """
        #expect(String(decoding: sent.body, as: UTF8.self) == body)
    }

    @Test(arguments: [("", ""), ("4957\"", #","SequenceNumberForOrdering":"4957\"""#)])
    func sendsPutRecordWithTheNumberThatItFollows(_ predecessor: String, _ member: String) throws {
        let server = ScriptedServer([
            .answer(#"{"EncryptionType":"NONE","ShardId":"shardId-7","SequenceNumber":"4958"}"#)
        ])
        let put = OutgoingRequest.Operation.putRecord(record("a", key: "x", hashKey: "7"), after: predecessor)
        let outcome = sender(to: server.url).send(
            OutgoingRequest(destination: Destination(region: "us-east-1", stream: "clicks"), put)
        )
        #expect(outcome.lines == ["4958 shardId-7"])
        let sent = try #require(server.requests().first)
        #expect(sent.values("x-amz-target") == ["Kinesis_20131202.PutRecord"])
        #expect(sent.values("authorization") == [try expectedSignature(of: sent, region: "us-east-1")])
        let body = #"{"StreamName":"clicks","Data":"YQ==","PartitionKey":"x","ExplicitHashKey":"7"\#(member)}"#
        #expect(String(decoding: sent.body, as: UTF8.self) == body)
    }

    @Test func carriesAnyKeyAndAnyBytes() throws {
        let keys = [
            "\"", "\\", "a\"b\\c/", "\u{0}\u{1f}\n\t\u{7f}", "ключ-鍵-🔑", "e\u{301}",
            String(repeating: "\u{1}", count: 256),
        ]
        let records = keys.enumerated().map { n, key in
            OutgoingRecord(
                partitionKey: key,
                explicitHashKey: "",
                data: Payload((0..<(n * 101)).map { UInt8($0 & 255) })
            )
        }
        let server = ScriptedServer([.answer(accepted(keys.count))])
        #expect(sender(to: server.url).send(request(records)).lines?.count == keys.count)

        let sent = try #require(server.requests().first)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(sent.body)) as? [String: Any])
        let entries = try #require(json["Records"] as? [[String: String]])
        for (entry, record) in zip(entries, records) {
            #expect(entry["PartitionKey"].map { Array($0.utf8) } == Array(record.partitionKey.utf8))
            #expect(entry["Data"].flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) } == record.data.bytes)
        }
    }

    @Test func keepsItsConnection() {
        let server = ScriptedServer((0..<20).map { _ in .answer(accepted(1)) })
        let sender = sender(to: server.url)
        for _ in 0..<20 { #expect(sender.send(request([record("x")])).lines?.count == 1) }
        #expect(server.requests().map(\.connection) == Array(repeating: 1, count: 20))
    }

    @Test func acceptedTextOutlivesTheNextRequest() {
        let server = ScriptedServer([.answer(accepted(2)), .answer(accepted(1).replacing("4957", with: "9999"))])
        let sender = sender(to: server.url)
        let first = sender.send(request([record("x"), record("y")]))
        _ = sender.send(request([record("z")]))
        #expect(first.lines == ["49570 shardId-000000000000", "49571 shardId-000000000000"])
    }

    @Test(arguments: ["us-east-1", "eu-west-3"])
    func signsForTheRegion(_ region: String) throws {
        let server = ScriptedServer([.answer(accepted(1))])
        _ = sender(to: server.url).send(request([record("x")], region: region))
        let sent = try #require(server.requests().first)
        #expect(sent.values("authorization") == [try expectedSignature(of: sent, region: region)])
    }

    @Test func signsBodiesLargerThanItsBuffers() throws {
        let server = ScriptedServer([.answer(accepted(2)), .answer(accepted(1))])
        let sender = sender(to: server.url)
        let large = Payload((0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let records = [large, large].map { OutgoingRecord(partitionKey: "k", explicitHashKey: "", data: $0) }
        #expect(sender.send(request(records)).lines?.count == 2)
        #expect(sender.send(request([record("small")])).lines?.count == 1)
        for sent in server.requests() {
            #expect(sent.values("expect").isEmpty, "proxies refuse it")
            #expect(sent.values("authorization") == [try expectedSignature(of: sent, region: "us-east-1")])
        }
    }

    @Test func newCredentialsSignTheNextRequest() throws {
        let server = ScriptedServer([.answer(accepted(1)), .answer(accepted(1))])
        let id = Mutex("FIRST")
        let settings = KinesisSettings(endpoint: server.url)
        let sender = KinesisSender(settings: settings, clocks: EndpointClocks()) { _ in
            let credentials = Credentials(accessKeyID: id.withLock { $0 }, secretAccessKey: "s", source: "a test")
            return FixedProvider(.success(credentials))
        }
        _ = sender.send(request([record("x")]))
        id.withLock { $0 = "SECOND" }
        _ = sender.send(request([record("x")]))
        let authorizations = server.requests().compactMap { $0.values("authorization").first }
        #expect(authorizations.map { $0.contains("Credential=FIRST/") } == [true, false])
        #expect(authorizations.map { $0.contains("Credential=SECOND/") } == [false, true])
    }

    @Test func eachDestinationHasItsCredentials() {
        let server = ScriptedServer([.answer(accepted(1)), .answer(accepted(1))])
        let sender = KinesisSender(settings: KinesisSettings(endpoint: server.url), clocks: EndpointClocks()) {
            let id = "ID-\($0.account)-\($0.stream)"
            return FixedProvider(.success(Credentials(accessKeyID: id, secretAccessKey: "s", source: "a test")))
        }
        for (account, stream) in [("", "clicks"), ("other", "taps")] {
            let destination = Destination(account: account, region: "us-east-1", stream: stream)
            _ = sender.send(OutgoingRequest(destination: destination, records: [record("x")]))
        }
        let authorizations = server.requests().compactMap { $0.values("authorization").first }
        #expect(authorizations.map { $0.contains("Credential=ID--clicks/") } == [true, false])
        #expect(authorizations.map { $0.contains("Credential=ID-other-taps/") } == [false, true])
    }

    @Test func signsWithTheServicesTimeOnceTheClockIsKnownToBeWrong() throws {
        let date = "Date: Wed, 02 Jan 2030 03:04:05 GMT"
        let server = ScriptedServer([
            .answer("{\"__type\":\"InvalidSignatureException\"}", status: 400, headers: [date, "x-amzn-RequestId: r"]),
            .answer(accepted(1), headers: [date, "x-amzn-RequestId: r"]),
        ])
        let clocks = EndpointClocks()
        let provider = FixedProvider()
        let sender = sender(to: server.url, provider: provider, clocks: clocks)
        let failure = try #require(sender.send(request([record("x")])).failure)
        #expect(failure.code == "clock_learnt")
        #expect(failure.message.contains("InvalidSignatureException"))
        #expect(Disposition(failure) == .transient, "the next request will be right")
        #expect(failure.advice.hasPrefix("None needed") && failure.advice.contains("clock"))
        #expect(provider.invalidations == 0)
        #expect(sender.send(request([record("x")])).lines?.count == 1)

        let sent = try #require(server.requests().last)
        #expect(sent.values("x-amz-date").count == 1)
        #expect(sent.values("x-amz-date").first?.hasPrefix("20300102T0304") == true)
        #expect(sent.values("authorization") == [try expectedSignature(of: sent, region: "us-east-1")])
        #expect(clocks.clock(of: server.url).skew != nil)
        #expect(clocks.clock(of: "https://another").skew == nil)
    }

    @Test func believesNoDateOfAProxy() {
        let server = ScriptedServer([.answer("", status: 503, headers: ["Date: Wed, 02 Jan 2030 03:04:05 GMT"])])
        let clocks = EndpointClocks()
        _ = sender(to: server.url, clocks: clocks).send(request([record("x")]))
        #expect(clocks.clock(of: server.url).skew == nil)
    }

    /// The Authorization that belongs to what arrived: over the headers that it says are signed, each sent once.
    private func expectedSignature(of sent: ScriptedServer.Request, region: String) throws -> String {
        let given = try #require(sent.values("authorization").first)
        let list = try #require(given.split(separator: "SignedHeaders=").last?.prefix { $0 != "," })
        let names = list.split(separator: ";").map(String.init)
        for name in ["host", "x-amz-date", "x-amz-target", "x-amz-security-token"] { #expect(names.contains(name)) }
        let headers = try names.map { name in
            #expect(sent.values(name).count == 1, "\(name) is signed")
            return (name: name, value: try #require(sent.values(name).first))
        }
        let time = try #require(sent.values("x-amz-date").first)
        var signer = RequestSigner(region: region, service: "kinesis", credentials: FixedProvider.credentials)
        return sent.body.withUnsafeBytes {
            signer.authorization(path: "/", headers: headers, body: $0, timestamp: time)
        }
    }
}
