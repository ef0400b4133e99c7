// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AgentCore

struct DeliveryIsolationTests {
    private func items(_ ids: ClosedRange<Int64>) -> [Item] {
        ids.map { Item(StoredEvent(id: EventID($0), key: .none, acceptedMS: 0, data: Payload("x"))) }
    }

    private func instant(_ second: Int) -> Instant { .zero + .seconds(second) }

    @Test(arguments: [1, 2, 7, 500] as [Int64])
    func halvingFindsTheOneRecordInLogarithmicallyManyRequests(guilty: Int64) {
        var isolation = Isolation()
        var requests = 0
        var (second, proven) = (1, nil as Instant?)
        #expect(isolation.refused(.init(items: items(1...500)), proven: nil, now: instant(0)) == nil)
        var found: EventID?
        while found == nil, requests < 100 {
            requests += 1
            second += 1
            guard let group = isolation.takeGroup(alone: false) else {
                // Some other request goes through.
                proven = instant(second)
                isolation.retry(proven: instant(second))
                continue
            }
            isolation.tested()
            if group.items.contains(where: { $0.id.rawValue == guilty }) {
                found = isolation.refused(group, proven: proven, now: instant(second))?.id
            } else {
                proven = instant(second)
                isolation.retry(proven: instant(second))
            }
        }
        #expect(found == EventID(guilty))
        #expect(requests <= 20)
    }

    @Test func aSuspectIsGuiltyOnlyIfOthersThatWereSentAfterItWereAccepted() {
        var isolation = Isolation()
        let suspect = Isolation.Group(items: items(1...1))
        // Accepted before it was refused: proves nothing.
        #expect(isolation.refused(suspect, proven: instant(1), now: instant(2)) == nil)
        isolation.retry(proven: instant(1))
        #expect(isolation.isExhausted && !isolation.hasGroup)
        // Sent after that, and accepted: once more.
        isolation.retry(proven: instant(3))
        let again = isolation.takeGroup(alone: true)
        isolation.tested()
        #expect(again?.items.map(\.id) == [EventID(1)])
        if let again {
            #expect(isolation.refused(again, proven: instant(3), now: instant(4))?.id == EventID(1))
        }
        #expect(isolation.isEmpty)
    }

    @Test func whileNothingIsAcceptedSuspectsTakeTurns() {
        var isolation = Isolation()
        for id in 1...3 as ClosedRange<Int64> {
            _ = isolation.refused(.init(items: items(id...id)), proven: nil, now: instant(0))
        }
        var order: [Int64] = []
        for _ in 0..<6 {
            guard let group = isolation.takeSuspect() else { break }
            order.append(group.items[0].id.rawValue)
            isolation.tested()
            #expect(isolation.refused(group, proven: nil, now: instant(1)) == nil)
        }
        #expect(order == [1, 2, 3, 1, 2, 3])
    }

    @Test func oneGroupIsTestedAtATimeAndAloneMeansOneRecord() {
        var isolation = Isolation()
        _ = isolation.refused(.init(items: items(1...4)), proven: nil, now: instant(0))
        #expect(isolation.takeGroup(alone: true)?.items.map(\.id) == [EventID(1)])
        #expect(isolation.takeGroup(alone: true) == nil && isolation.takeSuspect() == nil && !isolation.hasGroup)
        isolation.tested()
        #expect(isolation.items.map(\.id).sorted() == [EventID(2), EventID(3), EventID(4)])
    }

    @Test func whatALimitRemovedIsSuspectNoMore() {
        var isolation = Isolation()
        _ = isolation.refused(.init(items: items(1...1)), proven: nil, now: instant(0))
        _ = isolation.refused(.init(items: items(2...5)), proven: nil, now: instant(0))
        #expect(isolation.remove(through: EventID(3)).map(\.id).sorted() == (1...3).map { EventID($0) })
        #expect(isolation.remove(through: EventID(3)).isEmpty)
        #expect(isolation.suspects.isEmpty)
        #expect(isolation.takeGroup(alone: false)?.items.map(\.id) == [EventID(4), EventID(5)])
    }
}
