// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import KinesisLocal

@Suite struct KinesisServerTests {
    @Test func takesAnyFreePortAndGivesItBack() async throws {
        let first = try await KinesisServer.start(KinesisServer.Options())
        #expect(first.port > 0)
        #expect(first.endpoint == "http://127.0.0.1:\(first.port)")

        var taken = KinesisServer.Options()
        taken.port = first.port
        await #expect(throws: KinesisLocalError.self) { try await KinesisServer.start(taken) }

        try await first.close()
        try await KinesisServer.start(taken).close()
    }

    @Test(arguments: [("no spaces", 1), ("s", 0), ("", 1), ("s", 10_001)])
    func refusesStreamsThatCannotBe(name: String, shards: Int) async {
        var options = KinesisServer.Options()
        options.streams = [(name, shards)]
        await #expect(throws: KinesisLocalError.self) { try await KinesisServer.start(options) }
    }
}

/// The service without a wire: requests in, replies out.
@Suite struct KinesisServiceTests {
    private func service(shards: Int = 1) throws -> KinesisService {
        var store = StreamStore(limits: StreamStore.Limits())
        try store.create("s", shards: shards, now: now())
        return KinesisService(
            region: "eu-west-1",
            store: store,
            faults: FaultPlan(seed: 0),
            authenticator: nil,
            journal: nil
        )
    }

    private func now(ms: Int64 = 0) -> Moment {
        Moment(monotonic: .init(nanoseconds: ms * 1_000_000), wallMS: 1_770_000_000_000 + ms)
    }

    private func ask(
        _ service: KinesisService,
        _ operation: String,
        _ body: String,
        ms: Int64 = 0
    ) -> (status: Int, body: String) {
        var body = body
        let reply = body.withUTF8 { payload in
            service.answer(
                target: "Kinesis_20131202.\(operation)",
                request: Authenticator.SignedRequest(
                    method: "POST",
                    uri: "/",
                    header: { _ in nil },
                    payload: UnsafeRawBufferPointer(payload)
                ),
                now: now(ms: ms)
            )
        }
        return (reply.status, String(decoding: reply.body, as: UTF8.self))
    }

    private func member(_ name: String, of json: String) -> String {
        guard let found = json.firstRange(of: "\"\(name)\":\"") else { return "" }
        return String(json[found.upperBound...].prefix { $0 != "\"" })
    }

    @Test func iteratorsLiveFiveMinutes() throws {
        let service = try service()
        let body = #"{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"LATEST"}"#
        let iterator = member("ShardIterator", of: ask(service, "GetShardIterator", body).body)
        let request = #"{"ShardIterator":"\#(iterator)"}"#
        #expect(ask(service, "GetRecords", request, ms: 300_000).status == 200)
        let late = ask(service, "GetRecords", request, ms: 300_001)
        #expect(late.status == 400 && late.body.contains("ExpiredIteratorException"))
    }

    @Test func listShardsTokensLiveFiveMinutes() throws {
        let service = try service(shards: 3)
        let page = ask(service, "ListShards", #"{"StreamName":"s","MaxResults":1}"#)
        let request = #"{"NextToken":"\#(member("NextToken", of: page.body))"}"#
        #expect(ask(service, "ListShards", request, ms: 299_999).body.contains("shardId-000000000001"))
        #expect(ask(service, "ListShards", request, ms: 300_000).body.contains("ExpiredNextTokenException"))
    }

    @Test func iteratorsOfADeletedStreamAreVoidThoughItsNameComesBack() throws {
        let service = try service()
        let body = #"{"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}"#
        let iterator = member("ShardIterator", of: ask(service, "GetShardIterator", body).body)
        #expect(ask(service, "DeleteStream", #"{"StreamName":"s"}"#).status == 200)
        #expect(ask(service, "CreateStream", #"{"StreamName":"s","ShardCount":1}"#).status == 200)
        let answer = ask(service, "GetRecords", #"{"ShardIterator":"\#(iterator)"}"#)
        #expect(answer.body.contains("ResourceNotFoundException"))
    }

    @Test func anARNOfAnotherStreamOrOfNoneIsRefused() throws {
        let service = try service()
        func put(_ arn: String, name: String = "") -> Int {
            let stream = name.isEmpty ? "" : #""StreamName":"\#(name)","#
            return ask(
                service,
                "PutRecord",
                #"{\#(stream)"StreamARN":"\#(arn)","Data":"eA==","PartitionKey":"k"}"#
            ).status
        }
        #expect(put("arn:aws:kinesis:eu-west-1:000000000000:stream/s") == 200)
        #expect(put("arn:aws:kinesis:eu-west-1:000000000000:stream/s", name: "s") == 200)
        #expect(put("arn:aws:kinesis:eu-west-1:000000000000:stream/s", name: "t") == 400)
        #expect(put("arn:aws:sqs:eu-west-1:000000000000:s") == 400)
    }

    private func install(_ service: KinesisService, _ text: String) throws {
        for rule in try Array(text.utf8).withUnsafeBytes({ try FaultRules.read($0) }) {
            _ = service.faults.install(rule, now: now().monotonic)
        }
    }

    private static let twoRecords =
        #"{"StreamName":"s","Records":[{"Data":"eA==","PartitionKey":"a"},{"Data":"eQ==","PartitionKey":"b"}]}"#

    @Test(arguments: [
        ("empty_error_code", #""ErrorCode":"","ErrorMessage":""},{"SequenceNumber":"49"#),
        ("error_code", #""ShardId":"shardId-000000000000","ErrorCode":"InternalFailure""#),
        ("number", #"[{"SequenceNumber":49"#),
        ("no_members", #"{"FailedRecordCount":0,"Records":[{},{}]}"#),
        ("failed_count", #"{"FailedRecordCount":1,"Records":[{"SequenceNumber":"49"#),
        ("count_as_text", #"{"FailedRecordCount":"0","Records":[{"SequenceNumber":"49"#),
    ])
    func anAnswerContradictsItselfInTheWayThatIsAskedForAndTheRecordsAreStored(how: String, part: String) throws {
        let service = try service()
        try install(service, #"{"action":"contradict","how":"\#(how)"}"#)
        #expect(ask(service, "PutRecords", Self.twoRecords).body.contains(part))
        #expect(service.statistics.acceptedRecords == 2 && service.untold.count == 2)
    }

    @Test(arguments: [(-3, 0), (-1, 1), (0, 2), (2, 4)])
    func anAnswerHasAsManyEntriesAsIsAskedFor(more: Int, entries: Int) throws {
        let service = try service()
        try install(service, #"{"action":"wrong_count","entries":\#(more == 0 ? -2 : more)}"#)
        if more == 0 { service.faults.removeAll() }
        let body = ask(service, "PutRecords", Self.twoRecords).body
        #expect(body.split(separator: "SequenceNumber").count - 1 == entries)
        #expect(!body.contains("[,") && !body.contains(",]") && !body.contains("}{"))
    }

    @Test func aShardAtItsLimitIsNamedAndItsRecordsAndCallsAreCounted() throws {
        let service = try service(shards: 2)
        try install(service, #"{"action":"limit","shard":"shardId-000000000001","records_per_second":0}"#)
        // MD5 puts a into the lower half of the hash space and b into the upper one.
        let body = ask(service, "PutRecords", Self.twoRecords).body
        #expect(body.contains(#""FailedRecordCount":1"#))
        #expect(
            body.contains(
                "Rate exceeded for shard shardId-000000000001 in stream s under account 000000000000."
            )
        )
        let record = #"{"Data":"eA==","PartitionKey":"b"}"#
        _ = ask(service, "PutRecords", #"{"StreamName":"s","Records":[\#(record),\#(record),\#(record)]}"#)
        let shards = try service.store.stream("s").shards
        #expect(shards.map(\.accepted) == [1, 0])
        #expect(shards.map(\.throttled) == [0, 4])
        #expect(shards.map(\.calls) == [1, 2])
    }

    @Test func whatSomethingOnTheWayAnswersIsNotOfTheService() throws {
        let service = try service()
        let text = #"{"action":"status","status":407,"headers":{"Proxy-Authenticate":"Basic"},"body":"<html>"}"#
        let rule = try #require(try Array(text.utf8).withUnsafeBytes { try FaultRules.read($0) }.first)
        let reply = service.spoil(nil, .init(rule: rule))
        #expect(reply.status == 407 && !reply.isOfService && reply.headers == ["Proxy-Authenticate": "Basic"])
    }

    @Test func theClockIsOffByItsOffsetAndByFaults() throws {
        let service = KinesisService(
            region: "eu-west-1",
            clockOffsetSeconds: 3600,
            store: StreamStore(limits: StreamStore.Limits()),
            faults: FaultPlan(seed: 0),
            authenticator: nil,
            journal: nil
        )
        #expect(service.clockSeconds(now()) == 1_770_003_600)
        try install(service, #"{"action":"clock","offset_seconds":-600}"#)
        #expect(service.clockSeconds(now()) == 1_770_003_000)
    }

    @Test func anOperationThatIsNotKnownIsNamedSo() throws {
        #expect(try ask(service(), "Frobnicate", "{}").body == #"{"__type":"UnknownOperationException"}"#)
    }
}

@Suite struct LinkScheduleTests {
    private func at(_ ms: Int64) -> Instant { Instant(nanoseconds: ms * 1_000_000) }

    @Test func bytesHoldTheLinkForTheirTimeAndAPauseSavesNothingUp() {
        var link = LinkSchedule(bytesPerSecond: 1000)
        link.carried(500, now: at(1000))
        #expect(link.freeAt == at(1500))
        link.carried(250, now: at(1200))
        #expect(link.freeAt == at(1750))
        link.carried(100, now: at(9000))
        #expect(link.freeAt == at(9100))
    }
}
