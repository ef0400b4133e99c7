// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@testable import AgentQueue

/// What the machine says, one situation at a time. The laws that hold over all of them: WriterSimulationTests.
struct WriterMachineTests {
    private final class Nobody: AppendReceiver {
        func appended(_ answers: [AppendAnswer]) {}
        func delivered(_ notices: [DeliveryNotice]) {}
    }

    private let id = DestinationID(1)
    private let storage = QueueError.storage(operation: "test", message: "it failed", code: 10)
    private let damage = QueueError.damaged(operation: "test", message: "it is damaged", code: 11)
    private let full = QueueError.full(operation: "test", message: "no room", code: 13)

    private func machine(_ adjust: (inout QueueSettings) -> Void = { _ in }) -> WriterMachine {
        var settings = QueueSettings(path: "queue.db")
        settings.minFreeDisk = 0
        adjust(&settings)
        return WriterMachine(settings: settings)
    }

    private var request: AppendRequest { AppendRequest(events: [], token: 1, receiver: Nobody()) }
    private var settlement: Settlement { Settlement(destination: id, ids: [EventID(1)]) }
    private var both: Work { Work(requests: [request], settlements: [settlement]) }

    /// The names of all that it says now, and the transaction, if it says one.
    private func said(_ machine: inout WriterMachine) -> (names: [String], transaction: Transaction?) {
        var names: [String] = []
        var transaction: Transaction?
        while let action = machine.next() {
            names.append(String("\(action)".prefix { $0 != "(" }))
            switch action {
            case .transact(let next): transaction = next
            case .bring(let work): machine.brought(work)
            case .notice(let notice): names[names.count - 1] = String("\(notice)".prefix { $0 != "(" })
            default: break
            }
        }
        return (names, transaction)
    }

    private func draft() -> Draft {
        var draft = Draft()
        draft.touch()
        return draft
    }

    private func fail(_ machine: inout WriterMachine, _ work: Work, _ error: QueueError) throws -> [String] {
        machine.brought(work)
        let transaction = try #require(said(&machine).transaction)
        machine.ended(transaction, .failed(error, freeBytes: 0, nowNS: 0))
        return said(&machine).names
    }

    @Test func onlyWhatMustSurviveAPowerCutIsSynced() throws {
        var machine = machine()
        machine.brought(both)
        var transaction = try #require(said(&machine).transaction)
        #expect(transaction.isSynced)
        machine.ended(transaction, .done(draft()))
        machine.brought(Work(settlements: [settlement]))
        transaction = try #require(said(&machine).transaction)
        #expect(!transaction.isSynced)
        machine.ended(transaction, .done(draft()))
        _ = said(&machine)
        // Upkeep syncs it, and then there is nothing more to sync.
        machine.sync(hasUnwritten: false)
        transaction = try #require(said(&machine).transaction)
        #expect(transaction.isSynced)
        machine.ended(transaction, .done(draft()))
        _ = said(&machine)
        machine.sync(hasUnwritten: false)
        let names = said(&machine).names
        #expect(names.isEmpty)
    }

    @Test func aFailedTransactionRefusesAppendsAndKeepsTheRest() throws {
        var machine = machine()
        #expect(try fail(&machine, both, storage) == ["refuse", "planUpkeep", "reopen"])
        machine.reopened(serial: 1, known: 1)
        #expect(said(&machine).names == ["reopened", "planUpkeep"])
        let isOwed = machine.payDebts()
        #expect(isOwed)
        let transaction = said(&machine).transaction
        #expect(transaction?.work.settlements.count == 1 && transaction?.work.requests.isEmpty == true)
    }

    @Test func nobodyIsAnsweredBeforeAFailedCommitIsLookedFor() throws {
        for isStored in [true, false] {
            var machine = machine()
            machine.brought(both)
            let transaction = try #require(said(&machine).transaction)
            machine.ended(transaction, .undecided(draft(), serial: 7, storage))
            #expect(said(&machine).names == ["commitFailed", "reopen"])
            machine.reopened(serial: isStored ? 7 : 6, known: 6)
            let rest = isStored ? ["report"] : ["refuse", "bring", "transact"]
            #expect(said(&machine).names == ["reopened", "planUpkeep"] + rest)
        }
    }

    @Test func whereItCannotBeLookedForItIsUnknownUntilItCan() throws {
        for isStored in [true, false] {
            var machine = machine()
            machine.brought(both)
            machine.ended(try #require(said(&machine).transaction), .undecided(draft(), serial: 7, storage))
            _ = said(&machine)
            machine.reopenFailed(storage)
            #expect(said(&machine).names == ["leaveOpen", "close"])
            machine.brought(both)
            #expect(said(&machine).names == ["refuse", "planUpkeep"])
            machine.retryDue()
            #expect(said(&machine).names == ["reopen"])
            machine.reopened(serial: isStored ? 7 : 6, known: 6)
            #expect(said(&machine).names == ["reopened", "planUpkeep", isStored ? "report" : "count"])
        }
    }

    @Test func aCommitThatAlwaysFailsIsLeftToUpkeep() throws {
        var machine = machine()
        machine.brought(Work(settlements: [settlement]))
        for attempt in 0..<2 {
            machine.ended(try #require(said(&machine).transaction), .undecided(draft(), serial: 7, storage))
            _ = said(&machine)
            machine.reopened(serial: 6, known: 6)
            if attempt == 1 { #expect(said(&machine).names == ["reopened", "planUpkeep", "planUpkeep"]) }
        }
        let isOwed = machine.payDebts()
        #expect(isOwed)
    }

    @Test func aDamagedFileIsReplacedOnceAndThenGivenTime() throws {
        var machine = machine()
        #expect(try fail(&machine, both, damage) == ["replace"])
        machine.replaced(.damaged(aside: "aside", message: "", pending: 0, lost: 0))
        #expect(said(&machine).names == ["damaged", "reopen"])
        machine.reopened(serial: 1001, known: 1)
        let again = said(&machine)
        #expect(again.names == ["reopened", "planUpkeep", "bring", "transact"])
        machine.ended(try #require(again.transaction), .failed(damage, freeBytes: 0, nowNS: 0))
        #expect(said(&machine).names == ["refuse", "planUpkeep", "close"])
        machine.retryDue()
        #expect(said(&machine).names == ["replace"])
    }

    @Test func retriesComeMoreAndMoreSeldom() throws {
        var machine = machine()
        _ = try fail(&machine, both, storage)
        var delays: [Int] = []
        for _ in 0..<9 {
            machine.reopenFailed(storage)
            while let action = machine.next() { if case .close(_, let delay) = action { delays.append(delay) } }
        }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    }

    @Test func aFullDiskStopsAppendsFirstAndDeletesGetTheReserve() throws {
        var machine = machine()
        #expect(
            try fail(&machine, both, full)
                == ["setDiskFull", "diskFull", "planUpkeep", "refuse", "bring", "transact"]
        )
        #expect(try fail(&machine, Work(settlements: [settlement]), full) == ["planUpkeep", "releaseReserve"])
        machine.reserveReleased(
            true,
            for: .transaction(
                Transaction(work: Work(settlements: [settlement]), job: .work, isSynced: false),
                freeBytes: 0
            ),
            freeBytes: 40
        )
        #expect(said(&machine).names == ["bring", "transact"])
        // Until there is a reserve again, no append is tried.
        machine.brought(both, freeBytes: 40)
        #expect(said(&machine).names == ["planUpkeep", "refuse", "transact"])
        machine.reserveTaken(freeBytes: 1 << 30)
        #expect(said(&machine).names == ["setDiskFull", "diskHasRoom"])
    }

    @Test func aFileThatWasMovedAwayIsEmptiedAndNeverOpenedAgain() throws {
        var machine = machine()
        machine.brought(both)
        machine.ended(try #require(said(&machine).transaction), .tampered)
        let rest = said(&machine)
        #expect(rest.names == ["setTampered", "tampered", "bring", "planUpkeep", "refuse", "transact"])
        for error in [storage, damage] {
            machine.ended(try #require(rest.transaction), .failed(error, freeBytes: 0, nowNS: 0))
            #expect(said(&machine).names == ["planUpkeep"])
        }
        let isMended = machine.damaged(damage)
        #expect(!isMended)
    }

    @Test func whatCannotBeReadForLongIsDamage() throws {
        var machine = machine { $0.readPatience = .seconds(30) }
        let error = QueueError.unreadable(operation: "test", message: "no answer", code: 266)
        var isMended = machine.couldNotRead(id, error, nowNS: 5)
        #expect(!isMended)
        #expect(said(&machine).names == ["unreadable"])
        isMended = machine.couldNotRead(id, error, nowNS: 30_000_000_004)
        #expect(!isMended)
        isMended = machine.couldNotRead(id, error, nowNS: 30_000_000_005)
        #expect(isMended)
        #expect(said(&machine).names == ["replace"])
    }
}
