// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct BatchLimitTests {
    private let settings = DeliverySettings()

    @Test func eachTimeOutHalvesItDownToOneRecordInOneRequest() {
        var limit = BatchLimit()
        var (records, bytes) = (500, 1 << 20)
        while records > 1 {
            limit.failed(records: records, bytes: bytes, underWay: 4, cutAfter: .seconds(60))
            #expect(limit.mostRecords(500) == records / 2 && limit.mostBytes(1 << 20) == bytes / 2)
            records = limit.mostRecords(500)
            bytes = limit.mostBytes(1 << 20)
        }
        #expect(limit.mostRequests(4) == 1 && limit.mostRecords(500) == 1)
    }

    @Test func itGrowsAgainWithRequestsThatAreQuickUntilNothingIsLeftOfIt() {
        var limit = BatchLimit()
        for _ in 0..<10 { limit.failed(records: 500, bytes: 1 << 20, underWay: 4, cutAfter: .seconds(60)) }
        for _ in 0..<40 { limit.succeeded(after: .seconds(1), settings: settings) }
        #expect(limit.records == nil)
        #expect(limit.mostRecords(500) == 500 && limit.mostBytes(1 << 20) == 1 << 20 && limit.mostRequests(4) == 4)
    }

    @Test func requestsThatTakeNearlyAsLongAsTheOneThatFailedDoNotLetItGrow() {
        var limit = BatchLimit()
        limit.failed(records: 500, bytes: 1 << 20, underWay: 1, cutAfter: .seconds(60))
        for _ in 0..<40 { limit.succeeded(after: .seconds(40), settings: settings) }
        #expect(limit.mostRecords(500) == 250)
    }

    @Test func whatFailedForAnotherReasonThanTimeGrowsAgainHoweverQuicklyItFailed() {
        var limit = BatchLimit()
        for _ in 0..<10 { limit.failed(records: 500, bytes: 1 << 20, underWay: 4, cutAfter: nil) }
        #expect(limit.mostRecords(500) == 1)
        for _ in 0..<100 { limit.succeeded(after: .seconds(40), settings: settings) }
        #expect(limit.records == nil)
    }

    @Test func aSizeThatSomethingBetweenRefusesIsNotTriedAgainByEachRequest() {
        var limit = BatchLimit()
        var refused = 0
        for _ in 0..<1000 {
            let records = limit.mostRecords(500)
            if records > 100 {
                refused += 1
                limit.failed(records: records, bytes: records * 1000, underWay: 1, cutAfter: nil)
            } else {
                limit.succeeded(after: .milliseconds(20), settings: settings)
            }
        }
        #expect(refused < 250, "\(refused)")
    }
}
