// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

/// The ledger beside a copy of it that is thrown away, step by step, from a seed.
struct LedgerTests {
    private static func account(_ n: Int64) -> Ledger.Account {
        Ledger.Account(
            id: DestinationID(n),
            destination: Destination(region: "us-east-1", stream: "s\(n)"),
            isStored: n % 2 == 0
        )
    }

    private static func change(_ ledger: inout Ledger, _ random: inout SeededGenerator) {
        func number(_ most: Int) -> Int { Int.random(in: 0...most, using: &random) }
        if ledger.accounts.isEmpty || number(9) == 0 { ledger.add(account(Int64(ledger.accounts.count) + 1)) }
        let position = number(ledger.accounts.count - 1)
        let rows = RemovedRows(count: 1, bytes: 70, first: EventID(1), through: EventID(1))
        let head = Ledger.Head(id: ledger.nextID, acceptedMS: 5)
        switch number(9) {
        case 0, 1, 2:
            ledger.appended(2, bytes: 140, to: position, head: head, last: EventID(head.id.rawValue + 1))
            ledger.nextID = EventID(head.id.rawValue + 2)
        case 3: ledger.delivered(rows, at: position)
        case 4: ledger.buried(rows, at: position)
        case 5: ledger.removed(rows, cause: .expired, at: position)
        case 6: ledger.refused(3, at: position)
        case 7: ledger.setHead(head, at: position)
        case 8: ledger.stored(at: position)
        default: ledger.setPaused(!ledger.accounts[position].isPaused, at: position)
        }
    }

    private static func text(_ ledger: Ledger) -> [String] {
        ledger.accounts.map {
            "\($0.id) \($0.isStored) \($0.isPaused) \($0.totals) \($0.head as Any) \($0.last) \($0.isTouched)"
        } + ["\(ledger.totals) \(ledger.nextID) \(ledger.serial)"]
    }

    @Test(arguments: Seeds.all) func whatIsTakenBackWasNever(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var ledger = Ledger()
        let published = PublishedState(maxBytes: 0)
        published.set(&ledger)
        for _ in 0..<200 {
            let before = ledger
            ledger.begin()
            ledger.serial += 1
            for _ in 0..<Int.random(in: 0...5, using: &random) { Self.change(&ledger, &random) }
            var written: [DestinationID] = []
            if Bool.random(using: &random) {
                try ledger.writeTouched { (account) throws(QueueError) in written.append(account.id) }
            }
            #expect(Set(written).count == written.count)
            if Bool.random(using: &random) {
                ledger.takeBack()
                #expect(Self.text(ledger) == Self.text(before))
            } else {
                ledger.keep()
            }
            published.update(&ledger)
            let sum = ledger.accounts.reduce(into: QueueTotals()) { $0 += $1.totals }
            #expect(ledger.totals == sum)
            let seen = published.snapshot(agentNow: 0)
            #expect(seen.totals == sum)
            #expect(seen.streams.map(\.totals) == ledger.accounts.map(\.totals))
            #expect(seen.streams.map(\.isPaused) == ledger.accounts.map(\.isPaused))
            let lacking = ledger.accounts.contains { $0.isTouched && $0.isStored }
            #expect(ledger.hasUnwritten == lacking)
        }
        // Everything that is touched gets written once it is stored.
        for position in ledger.accounts.indices { ledger.stored(at: position) }
        try ledger.writeTouched { (_) throws(QueueError) in }
        #expect(ledger.accounts.allSatisfy { !$0.isTouched })
    }

    @Test func aChangeIsPublishedByItselfHoweverManyDestinationsThereAre() {
        var ledger = Ledger()
        for n in 1...5000 as ClosedRange<Int64> { ledger.add(Self.account(n)) }
        ledger.publishChanges { _, _ in }
        ledger.begin()
        ledger.refused(1, at: 4321)
        ledger.refused(1, at: 4321)
        ledger.refused(1, at: 17)
        ledger.keep()
        var changed: [Int] = []
        ledger.publishChanges { position, _ in changed.append(position) }
        #expect(changed == [4321, 17])
        var again = 0
        ledger.publishChanges { _, _ in again += 1 }
        #expect(again == 0)
    }
}

struct TableCacheTests {
    @Test func whatFitsIsMadeOnce() {
        var cache = TableCache<Int64>(capacity: 1024)
        var made = 0
        for round in 0..<3 {
            for n in 1...1000 as ClosedRange<Int64> {
                if let table = cache.known(DestinationID(n)) {
                    #expect(table == n)
                } else {
                    made += 1
                    cache.add(DestinationID(n), n)
                }
            }
            #expect(made == 1000, "round \(round)")
        }
    }

    /// The least recently used one of each round would be the one that is wanted next.
    @Test func aRoundOverMoreThanFitFindsMostOfThem() {
        var cache = TableCache<Int64>(capacity: 1000)
        var made = 0
        for _ in 0..<20 {
            for n in 1...1100 as ClosedRange<Int64> where cache.known(DestinationID(n)) == nil {
                made += 1
                cache.add(DestinationID(n), n)
            }
        }
        #expect(cache.count == 1000)
        #expect(made < 1100 + 19 * 300, "\(made)")
    }
}

struct OldestFirstTests {
    @Test(arguments: Seeds.all) func theOldestEventOfAllIsFound(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ledger = Ledger()
        for n in 1...30 as ClosedRange<Int64> {
            ledger.add(
                Ledger.Account(
                    id: DestinationID(n),
                    destination: Destination(region: "r", stream: "s\(n)"),
                    isStored: true
                )
            )
        }
        var next: Int64 = 1
        for _ in 0..<2000 {
            let position = Int.random(in: 0..<30, using: &random)
            let isTried = Bool.random(using: &random)
            if isTried { ledger.begin() }
            let head = Ledger.Head(id: EventID(next), acceptedMS: 0)
            next += 1
            switch Int.random(in: 0..<4, using: &random) {
            case 0: ledger.appended(1, bytes: 70, to: position, head: head, last: head.id)
            case 1: ledger.setHead(nil, at: position)
            default: ledger.setHead(head, at: position)
            }
            if isTried, Int.random(in: 0..<100, using: &random) == 0 { ledger.takeBack() } else { ledger.keep() }
            let expected = ledger.accounts.compactMap(\.head?.id).min()
            #expect(ledger.oldest().flatMap { ledger.accounts[$0].head?.id } == expected)
        }
    }
}
