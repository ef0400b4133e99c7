// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import KinesisLocal

private func at(_ ms: Int64) -> Instant { Instant(nanoseconds: ms * 1_000_000) }

private func rule(_ action: FaultRule.Action, _ change: (inout FaultRule) -> Void = { _ in }) -> FaultRule {
    var rule = FaultRule(action: action)
    change(&rule)
    return rule
}

/// Asks the plan about one record and returns the code of its refusal.
private func refusal(
    _ plan: inout FaultPlan,
    stream: String = "s",
    shard: String = "shardId-000000000000",
    key: String = "k",
    data: String = "d",
    ms: Int64 = 0
) -> String? {
    Array(key.utf8).withUnsafeBytes { key in
        Array(data.utf8).withUnsafeBytes { data in
            let view = FaultPlan.RecordView(shard: shard, key: key, data: data)
            return plan.recordArrived(.putRecords, stream: stream, record: view, now: at(ms))?.code
        }
    }
}

/// Asks the plan about a request of one record and returns what strikes.
private func strikes(
    _ plan: inout FaultPlan,
    _ operation: KinesisLocal.Operation = .putRecords,
    stream: String = "s",
    data: String = "d",
    ms: Int64 = 0
) -> FaultRule.Action? {
    Array("k".utf8).withUnsafeBytes { key in
        Array(data.utf8).withUnsafeBytes { data in
            let view = FaultPlan.RecordView(shard: "shardId-000000000000", key: key, data: data)
            return plan.requestArrived(operation, stream: stream, records: [view], now: at(ms)).rule?.action
        }
    }
}

@Suite struct FaultPlanTests {
    @Test func equalSeedsGiveEqualFaults() {
        func run(seed: UInt64) -> [Bool] {
            var plan = FaultPlan(seed: seed)
            _ = plan.install(rule(.failRecord) { $0.probability = 0.3 }, now: at(0))
            return (0..<1000).map { _ in refusal(&plan) != nil }
        }
        #expect(run(seed: 1) == run(seed: 1))
        #expect(run(seed: 1) != run(seed: 2))
        #expect((250...350).contains(run(seed: 3).count { $0 }))
    }

    @Test func aRulesOwnSeedCountsWhateverTheServers() {
        func run(seed: UInt64) -> [Bool] {
            var plan = FaultPlan(seed: seed)
            _ = plan.install(
                rule(.failRecord) {
                    $0.probability = 0.5
                    $0.seed = 99
                },
                now: at(0)
            )
            return (0..<100).map { _ in refusal(&plan) != nil }
        }
        #expect(run(seed: 1) == run(seed: 2))
    }

    @Test func strikesAfterSkipAndUpToCount() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.reset) {
                $0.skip = 2
                $0.count = 3
            },
            now: at(0)
        )
        #expect((0..<8).map { _ in strikes(&plan) != nil } == [false, false, true, true, true, false, false, false])
        #expect(plan.rules[0].fired == 3)
    }

    @Test func strikesInsideItsWindowOnly() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.hang) {
                $0.afterMS = 100
                $0.forMS = 50
            },
            now: at(1000)
        )
        #expect(strikes(&plan, ms: 1099) == nil)
        #expect(strikes(&plan, ms: 1100) == .hang)
        #expect(strikes(&plan, ms: 1149) == .hang)
        #expect(strikes(&plan, ms: 1150) == nil)
    }

    @Test func matchesStreamShardKeyAndData() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.failRecord) {
                $0.stream = "s"
                $0.shard = "shardId-000000000001"
                $0.partitionKey = "hot"
                $0.dataContains = "poison"
                $0.code = "InternalFailure"
            },
            now: at(0)
        )
        func ask(stream: String = "s", shard: Int = 1, key: String = "hot", data: String = "a poison pill") -> String? {
            refusal(&plan, stream: stream, shard: Shard.id(shard), key: key, data: data)
        }
        #expect(ask() == "InternalFailure")
        #expect(ask(stream: "t") == nil)
        #expect(ask(shard: 0) == nil)
        #expect(ask(key: "hotter") == nil)
        #expect(ask(data: "a poiso") == nil)
        #expect(ask(data: "poison") == "InternalFailure")
        #expect(ask(data: "") == nil)
    }

    @Test func aRequestWithAPoisonRecordIsStruckAsAWhole() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.error) {
                $0.code = "InvalidArgumentException"
                $0.dataContains = "poison"
            },
            now: at(0)
        )
        #expect(strikes(&plan) == nil)
        #expect(strikes(&plan, data: "xpoisonx") == .error)
    }

    @Test func putsAreMeantUnlessAnOperationIsNamed() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(rule(.reset), now: at(0))
        #expect(strikes(&plan, .getRecords) == nil)
        #expect(strikes(&plan, .putRecord) == .reset)
        plan.removeAll()
        _ = plan.install(rule(.reset) { $0.operation = "*" }, now: at(0))
        #expect(strikes(&plan, .getRecords) == .reset)
        plan.removeAll()
        _ = plan.install(rule(.reset) { $0.operation = "ListShards" }, now: at(0))
        #expect(strikes(&plan, .putRecords) == nil)
        #expect(strikes(&plan, .listShards) == .reset)
    }

    @Test func waitsAddUpAndTheFirstOtherFaultWins() {
        var plan = FaultPlan(seed: 0)
        for action in [rule(.delay) { $0.delayMS = 10 }, rule(.garbage), rule(.reset), rule(.delay) { $0.delayMS = 5 }]
        {
            _ = plan.install(action, now: at(0))
        }
        let fault = plan.requestArrived(.putRecords, stream: "s", records: [], now: at(0))
        #expect(fault.delayMS == 15)
        #expect(fault.rule?.action == .garbage)
        #expect(plan.rules.map(\.fired) == [1, 1, 0, 1])
    }

    @Test func connectionAndHeadFaultsStrikeBeforeTheBody() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(rule(.refuse) { $0.count = 1 }, now: at(0))
        _ = plan.install(rule(.slowRead) { $0.bytesPerSecond = 100 }, now: at(0))
        let refused = [plan.refusesConnection(now: at(0)), plan.refusesConnection(now: at(0))]
        #expect(refused == [true, false])
        let atHead = [
            plan.headArrived(.init(operation: .putRecords), now: at(0)),
            plan.headArrived(.init(operation: .getRecords), now: at(0)),
        ]
        #expect(atHead == [.slowRead(bytesPerSecond: 100), .none])
        #expect(strikes(&plan) == nil)
    }

    @Test func anUnreadStatusStrikesBeforeTheBodyBySizeAndExpectation() {
        var plan = FaultPlan(seed: 0)
        let tooLarge = rule(.status) {
            $0.status = 413
            $0.minBytes = 1000
            $0.unread = true
        }
        let noExpect = rule(.status) {
            $0.status = 417
            $0.expects = true
            $0.unread = true
        }
        _ = plan.install(tooLarge, now: at(0))
        _ = plan.install(noExpect, now: at(0))
        func ask(bytes: Int, expects: Bool) -> FaultPlan.HeadFault {
            plan.headArrived(.init(operation: .putRecords, bytes: bytes, expects: expects), now: at(0))
        }
        #expect(ask(bytes: 1000, expects: true) == .status(tooLarge))
        #expect(ask(bytes: 999, expects: true) == .status(noExpect))
        #expect(ask(bytes: 999, expects: false) == .none)
        #expect(strikes(&plan) == nil)
    }

    @Test func aStatusBySizeLeavesSmallerRequestsAlone() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.status) {
                $0.status = 413
                $0.minBytes = 100
            },
            now: at(0)
        )
        func ask(bytes: Int) -> Int? {
            plan.requestArrived(.putRecords, stream: "s", bytes: bytes, records: [], now: at(0)).rule?.status
        }
        #expect(ask(bytes: 99) == nil)
        #expect(ask(bytes: 100) == 413)
    }

    @Test func aLimitHoldsEachShardByItselfAndForgetsNothing() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.limit) {
                $0.stream = "s"
                $0.recordsPerSecond = 2
            },
            now: at(0)
        )
        func ask(_ shard: Int, stream: String = "s", ms: Int64 = 0) -> String? {
            refusal(&plan, stream: stream, shard: Shard.id(shard), ms: ms)
        }
        let throttled = APIError.throttlingCode
        #expect([ask(0), ask(0), ask(0), ask(1), ask(1), ask(1)] == [nil, nil, throttled, nil, nil, throttled])
        #expect(ask(0, stream: "t") == nil)
        #expect([ask(0, ms: 500), ask(0, ms: 500)] == [nil, throttled])
        #expect(plan.rules[0].fired == 3)
    }

    @Test(arguments: [true, false])
    func aLimitOfZeroTakesNothingFromTheShardThatItNames(byRecords: Bool) {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.limit) {
                $0.shard = Shard.id(1)
                if byRecords { $0.recordsPerSecond = 0 } else { $0.bytesPerSecond = 0 }
                $0.forMS = 100_000
            },
            now: at(0)
        )
        #expect(refusal(&plan, shard: Shard.id(1)) != nil)
        #expect(refusal(&plan, shard: Shard.id(1), ms: 99_999) != nil)
        #expect(refusal(&plan, shard: Shard.id(0)) == nil)
        #expect(refusal(&plan, shard: Shard.id(1), ms: 100_000) == nil)
    }

    @Test func aLimitByBytesCountsKeysAndData() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(rule(.limit) { $0.bytesPerSecond = 10 }, now: at(0))
        #expect(refusal(&plan, key: "12345", data: "1234") == nil)
        #expect(refusal(&plan, key: "1", data: "1") != nil)
    }

    @Test func clockIsOffForAsLongAsTheWindow() {
        var plan = FaultPlan(seed: 0)
        _ = plan.install(
            rule(.clock) {
                $0.offsetSeconds = -600
                $0.forMS = 10
            },
            now: at(0)
        )
        #expect(plan.clockOffset(now: at(9)) == .seconds(-600))
        #expect(plan.clockOffset(now: at(10)) == .zero)
    }

    @Test func whatHappensOnceIsGivenOutOnceInTheOrderOfItsTimes() {
        var plan = FaultPlan(seed: 1)
        #expect(plan.nextDeed == .never)
        let late = rule(.outage) {
            $0.afterMS = 300
            $0.forMS = 100
        }
        let early = rule(.reshard) {
            $0.afterMS = 100
            $0.stream = "s"
            $0.shards = 2
        }
        _ = plan.install(late, now: at(1000))
        _ = plan.install(early, now: at(1000))
        _ = plan.install(rule(.reset), now: at(1000))
        #expect(plan.nextDeed == at(1100) && plan.takeDeeds(now: at(1099)).isEmpty)
        #expect(plan.takeDeeds(now: at(1100)) == [early] && plan.takeDeeds(now: at(1100)).isEmpty)
        #expect(plan.nextDeed == at(1300))
        _ = plan.install(early, now: at(1000))
        #expect(plan.takeDeeds(now: at(2000)) == [early, late] && plan.nextDeed == .never)
        #expect(plan.rules.map(\.fired) == [1, 1, 0, 1])
        plan.removeAll()
        #expect(plan.nextDeed == .never)
    }

    @Test func anIdReplacesAndRemoves() {
        var plan = FaultPlan(seed: 0)
        let ids = [
            plan.install(rule(.reset) { $0.id = "a" }, now: at(0)),
            plan.install(rule(.hang) { $0.id = "a" }, now: at(0)),
            plan.install(rule(.delay) { $0.delayMS = 1 }, now: at(0)),
        ]
        #expect(ids == ["a", "a", "fault-3"])
        #expect(plan.rules.map(\.rule.action) == [.hang, .delay])
        let removed = [plan.remove(id: "a"), plan.remove(id: "a")]
        #expect(removed == [true, false])
        #expect(plan.rules.map(\.id) == ["fault-3"])
    }
}

@Suite struct FaultRulesTests {
    private func read(_ text: String) throws(KinesisLocalError) -> [FaultRule] {
        let bytes = Array(text.utf8)
        do { return try bytes.withUnsafeBytes { try FaultRules.read($0) } } catch let error as KinesisLocalError {
            throw error
        } catch {
            throw .faultsInvalid(reason: "\(error)")
        }
    }

    @Test func readsOneRuleOrMany() throws {
        #expect(try read(#"{"action":"reset","stored":true}"#).map(\.storesRecords) == [true])
        #expect(try read(#" [{"action":"hang"},{"action":"delay","delay_ms":5}]"#).map(\.action) == [.hang, .delay])
        #expect(try read("[]").isEmpty)
    }

    @Test(arguments: [
        #"{"action":"explode"}"#, #"{}"#, #"{"action":"reset","probabilty":0.5}"#,
        #"{"action":"reset","probability":2}"#, #"{"action":"error"}"#, #"{"action":"refuse","stream":"s"}"#,
        #"{"action":"refuse"}"#, #"{"action":"wrong_count"}"#, #"{"action":"reset","operation":"Put"}"#,
        #"{"action":"delay","delay_ms":"5"}"#, "nonsense",
        #"{"action":"close","stored":false}"#, #"{"action":"outage"}"#, #"{"action":"reshard","shards":2}"#,
        #"{"action":"reshard","stream":"s"}"#, #"{"action":"reshard","stream":"s","shards":2,"split":"x"}"#,
        #"{"action":"outage","for_ms":5,"count":2}"#, #"{"action":"reset","shards":2}"#,
        #"{"action":"contradict"}"#, #"{"action":"contradict","how":"loudly"}"#, #"{"action":"reset","how":"number"}"#,
        #"{"action":"limit"}"#, #"{"action":"limit","records_per_second":-1}"#,
        #"{"action":"limit","bytes_per_second":100000001}"#, #"{"action":"limit","records_per_second":1,"count":1}"#,
        #"{"action":"limit","records_per_second":1,"partition_key":"k"}"#,
        #"{"action":"reset","records_per_second":1}"#, #"{"action":"status","status":413,"expects":true}"#,
        #"{"action":"status","status":413,"unread":true,"stream":"s"}"#, #"{"action":"reset","unread":true}"#,
        #"{"action":"fail_record","min_bytes":5}"#, #"{"action":"reset","headers":{"a":"b"}}"#,
    ])
    func refusesRulesThatCannotBeMeant(text: String) {
        #expect(throws: KinesisLocalError.self) { try read(text) }
    }
}
