// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Synchronization
import Testing

@testable import AgentRuntime

@Suite struct DeliveryWaitersTests {
    private let waiters = DeliveryWaiters()
    private let receiver = Receiver()

    private final class Receiver: AppendReceiver {
        let notices = Mutex<[DeliveryNotice]>([])
        func appended(_ answers: [AppendAnswer]) {}
        func delivered(_ notices: [DeliveryNotice]) { self.notices.withLock { $0 += notices } }

        /// `token: outcome`, in the order in which they came.
        var told: [String] {
            notices.withLock { notices in
                notices.map { notice in
                    switch notice.outcome {
                    case .delivered(let number, let shard): "\(notice.token): \(number) in \(shard)"
                    case .deadLettered(let code, _): "\(notice.token): \(code)"
                    case .dropped: "\(notice.token): dropped"
                    }
                }
            }
        }
    }

    /// Commits events of one destination; those that are awaited have their id as token.
    private func commit(_ ids: ClosedRange<Int64>, awaited: [Int64], destination: Int64 = 1) {
        var commit = Commit()
        commit.appended = [
            Commit.Appended(
                destination: DestinationID(destination),
                events: ids.map { StoredEvent(id: EventID($0), key: .none, acceptedMS: 0, data: .empty) }
            )
        ]
        commit.awaited = awaited.map {
            Commit.Awaited(
                id: EventID($0),
                destination: DestinationID(destination),
                token: UInt64($0),
                receiver: receiver
            )
        }
        waiters.note(commit)
    }

    private func batch(_ ids: [Int64]) -> Batch {
        Batch(
            attempt: AttemptID(1),
            destination: DestinationID(1),
            request: OutgoingRequest(destination: Destination(region: "r", stream: "s"), records: []),
            events: ids.map { EventID($0) }
        )
    }

    @Test func whoWaitsIsToldOnceWhatKinesisSaid() {
        commit(1...3, awaited: [2, 3])
        let accepted = RecordOutcome.accepted(sequenceNumber: Payload("49"), shard: Payload("shardId-7"))
        let throttled = RecordOutcome.refused(code: "ProvisionedThroughputExceededException", message: "")
        waiters.note(batch([1, 2, 3]), .answered([accepted, accepted, throttled]))
        #expect(receiver.told == ["2: 49 in shardId-7"])
        waiters.note(batch([2, 3]), .answered([accepted, accepted]))
        #expect(receiver.told == ["2: 49 in shardId-7", "3: 49 in shardId-7"])
    }

    @Test func aFailedRequestTellsNothing() {
        commit(1...1, awaited: [1])
        waiters.note(batch([1]), .failed(SendFailure(kind: .transport, message: "")))
        waiters.note(batch([1]), .answered([]))
        #expect(receiver.told.isEmpty)
    }

    @Test func aDeadLetterIsTold() {
        commit(1...2, awaited: [1, 2])
        var commit = Commit()
        commit.deadLettered = [
            DeadLetter(destination: DestinationID(1), id: EventID(2), code: "poison", reason: "it is")
        ]
        waiters.note(commit)
        #expect(receiver.told == ["2: poison"])
    }

    @Test func anEventThatALimitRemovedIsToldToBeDropped() {
        commit(1...4, awaited: [1, 4])
        commit(5...5, awaited: [5], destination: 2)
        var commit = Commit()
        commit.removed = [
            Commit.Removal(destination: DestinationID(1), through: EventID(3), count: 3, cause: .evicted)
        ]
        waiters.note(commit)
        #expect(receiver.told == ["1: dropped"])
    }

    @Test func whoNoLongerWaitsIsForgotten() {
        commit(1...3, awaited: [1, 2, 3])
        waiters.forget([EventID(1), EventID(3)])
        #expect(waiters.count == 1)
        waiters.note(batch([1, 2, 3]), .answered(Array(repeating: Self.accepted, count: 3)))
        #expect(receiver.told == ["2: 49 in shardId-7"])
        #expect(waiters.count == 0)
    }

    @Test func whoStoppedWaitingBeforeTheCommitWasHeardOfIsNotKept() {
        waiters.forget([EventID(2)])
        commit(1...2, awaited: [1, 2])
        #expect(waiters.count == 1)
        // What was delivered before is not mistaken for one that is still to come.
        waiters.forget([EventID(1)])
        waiters.forget([EventID(1)])
        commit(3...3, awaited: [3])
        #expect(waiters.count == 1)
    }

    @Test func aRemovalFindsItsWaitersAmongMany() {
        for destination in Int64(1)...3 {
            commit(
                destination * 1000...destination * 1000 + 99,
                awaited: Array(destination * 1000...destination * 1000 + 99),
                destination: destination
            )
        }
        waiters.forget((2010...2019).map { EventID($0) })
        for through in [Int64(2004), 2004, 2020] {
            var commit = Commit()
            commit.removed = [
                Commit.Removal(destination: DestinationID(2), through: EventID(through), count: 1, cause: .expired)
            ]
            waiters.note(commit)
        }
        #expect(receiver.told == (Array(2000...2009) + [2020]).map { "\($0): dropped" })
        #expect(waiters.count == 300 - 21)
    }

    /// While a stream is down, a hundred thousand PUTs come and give up.
    @Test func whoGaveUpLeavesNothingBehind() {
        for id in Int64(1)...100_000 {
            commit(id...id, awaited: [id])
            if id > 100 { waiters.forget([EventID(id - 100)]) }
        }
        #expect(waiters.count == 100)
    }

    private static let accepted = RecordOutcome.accepted(sequenceNumber: Payload("49"), shard: Payload("shardId-7"))
}
