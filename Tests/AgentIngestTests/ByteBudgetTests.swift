// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import AgentIngest

struct ByteBudgetTests {
    final class Holder {}

    private let a = Holder()
    private let b = Holder()
    private let c = Holder()
    private static let large = 100 << 10

    /// A budget of 400 KiB, 300 of which came in for `a`.
    private func shortBudget() -> ByteBudget<Holder> {
        var budget = ByteBudget<Holder>(limit: 400 << 10)
        budget.charge(300 << 10, to: a, holding: 300 << 10)
        return budget
    }

    @Test func everybodyReadsWhileThereIsEnough() {
        var budget = ByteBudget<Holder>(limit: 400 << 10)
        budget.charge(299 << 10, to: a, holding: 299 << 10)
        let may = [
            budget.mayRead(a, holding: 299 << 10, isSmall: false),
            budget.mayRead(b, holding: Self.large, isSmall: false),
        ]
        #expect(may == [true, true])
    }

    @Test func smallOnesReadOnWhereLargeOnesWait() {
        var budget = shortBudget()
        let may = [
            budget.mayRead(a, holding: 300 << 10, isSmall: false),
            budget.mayRead(b, holding: Self.large, isSmall: false),
            budget.mayRead(c, holding: 1000, isSmall: false), budget.mayRead(c, holding: 0, isSmall: false),
        ]
        // The first overdraws.
        #expect(may == [true, false, true, true])
        budget.charge(100 << 10, to: a, holding: 400 << 10)
        let later = [
            budget.mayRead(c, holding: 1000, isSmall: false), budget.mayRead(c, holding: 1000, isSmall: true),
            budget.mayRead(c, holding: 0, isSmall: false),
        ]
        #expect(later == [false, true, true])
    }

    @Test func oneAtATimeOverdrawsInTheOrderInWhichTheyWaited() {
        var budget = shortBudget()
        for holder in [a, b, c] { _ = budget.mayRead(holder, holding: 1 << 20, isSmall: false) }
        let early = budget.nextReader()
        #expect(early == nil)
        // That of `a` is whole; others hold as much meanwhile.
        budget.charge(-(300 << 10), to: a, holding: 0)
        budget.charge(300 << 10, to: c, holding: 300 << 10)
        let next = [budget.nextReader(), budget.nextReader()]
        #expect(next[0] === b && next[1] == nil)
        budget.forget(b)
        let last = budget.nextReader()
        #expect(last === c)
    }

    @Test func allReadAgainWhenThereIsRoom() {
        var budget = shortBudget()
        for holder in [a, b, c] { _ = budget.mayRead(holder, holding: 1 << 20, isSmall: false) }
        budget.charge(-(10 << 10), to: a, holding: 290 << 10)
        let next = [budget.nextReader(), budget.nextReader(), budget.nextReader()]
        #expect(next[0] === b && next[1] === c && next[2] == nil)
    }

    @Test func oneLargeRequestIsAlwaysPendingAndSmallOnesPassIt() {
        var budget = ByteBudget<Holder>(limit: 400 << 10)
        let admitted = [budget.admit(1 << 20), budget.admit(1 << 20), budget.admit(100 << 10), budget.admit(1000)]
        // More than all there is goes alone; nothing else fits beside it.
        #expect(admitted == [true, false, false, false])
        budget.wait(a, for: 1 << 20)
        budget.wait(b, for: 1000)
        budget.wait(c, for: 100 << 10)
        budget.release(1 << 20)
        var order: [Holder] = []
        while let (holder, _) = budget.nextSender() { order.append(holder) }
        #expect(order.map(ObjectIdentifier.init) == [b, a].map(ObjectIdentifier.init))
        budget.release(1 << 20)
        let last = budget.nextSender()
        #expect(last?.holder === c)
        #expect(budget.pending == (100 << 10) + 1000)
    }

    @Test func whoIsGoneWaitsForNothing() {
        var budget = shortBudget()
        _ = (budget.mayRead(a, holding: 1 << 20, isSmall: false), budget.mayRead(b, holding: 1 << 20, isSmall: false))
        _ = budget.admit(1 << 20)
        budget.wait(b, for: 1 << 20)
        budget.forget(b)
        budget.forget(a)
        budget.release(1 << 20)
        let (reader, sender) = (budget.nextReader(), budget.nextSender())
        #expect(reader == nil && sender == nil && !budget.hasReaders)
    }

    @Test func whatRecursIsToldOfOnceAMinute() {
        var fault = Recurring()
        let start = NIODeadline.uptimeNanoseconds(1)
        let told = (0..<130).map { fault.happened(at: start + .seconds($0)) }
        #expect(told.compactMap { $0 } == [1, 60, 60])
        let over = [start + .seconds(180), start + .seconds(190), start + .seconds(300)].map { fault.isOver(at: $0) }
        #expect(over == [false, true, false])
        let again = fault.happened(5, at: start + .seconds(301))
        #expect(again == 5)
    }
}
