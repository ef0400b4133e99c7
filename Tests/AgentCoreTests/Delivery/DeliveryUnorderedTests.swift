// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@Suite struct DeliveryUnorderedTests {
    private let id = DestinationID(1)

    private func commit(_ ids: ClosedRange<Int64>) -> Commit {
        var commit = Commit()
        commit.appended = [
            Commit.Appended(
                destination: id,
                events: ids.map {
                    StoredEvent(
                        id: EventID($0),
                        key: EventKey(partitionKey: "k"),
                        acceptedMS: 0,
                        data: Payload("event \($0)")
                    )
                }
            )
        ]
        return commit
    }

    private func settled(_ actions: [DeliveryAction]) -> Commit {
        var commit = Commit()
        for case .settle(let settlement) in actions { commit.settled.append(settlement) }
        return commit
    }

    private func sent(_ actions: [DeliveryAction]) -> [Batch] {
        actions.compactMap { if case .send(let batch) = $0 { batch } else { nil } }
    }

    @Test func aKeyThatWasThrottledLeavesInFullRequestsAgain() throws {
        var machine = DeliveryMachine(settings: DeliverySettings(), seed: 1)
        machine.opened(
            id,
            Destination(region: "r", stream: "s"),
            settings: DestinationSettings(ordering: .none, endpoint: "e")
        )
        let accepted = RecordOutcome.accepted(sequenceNumber: Payload("1"), shard: Payload("s"))
        let throttled = RecordOutcome.refused(code: "ProvisionedThroughputExceededException", message: "")

        machine.committed(commit(1...1), now: .zero)
        let first = try #require(sent(machine.plan(now: .zero).actions).first)
        machine.committed(commit(2...101), now: .zero)
        machine.answered(first.attempt, .answered([throttled]), now: .zero)

        // All wait behind the one that was throttled, until it has been tried again.
        let wait = machine.plan(now: .zero)
        #expect(sent(wait.actions).isEmpty)
        let later = Instant.zero + .seconds(30)
        let second = try #require(sent(machine.plan(now: later).actions).first)
        #expect(second.events == [EventID(1)])
        machine.answered(second.attempt, .answered([accepted]), now: later)
        machine.committed(settled(machine.plan(now: later).actions), now: later)

        let third = try #require(sent(machine.plan(now: later).actions).first)
        #expect(third.events == (2...101).map { EventID($0) })
    }
}
