// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

@Suite struct DeliveryCredentialsTests {
    private let missing = SendFailure(kind: .noCredentials, message: "There are none.", advice: "Get some.")
    private let accepted = RecordOutcome.accepted(sequenceNumber: Payload("1"), shard: Payload("s"))

    /// What was committed.
    private final class File {
        var events: [DestinationID: [StoredEvent]] = [:]
        var last: EventID { events.values.joined().map(\.id).max() ?? .zero }
    }

    private let file = File()

    private func machine() -> DeliveryMachine {
        var machine = DeliveryMachine(settings: DeliverySettings(linger: .zero), seed: 1)
        open(1, in: &machine)
        return machine
    }

    private func open(_ id: Int64, in machine: inout DeliveryMachine, identity: String = "us", place: String = "") {
        machine.opened(
            DestinationID(id),
            Destination(region: "r", stream: "s\(id)"),
            settings: DestinationSettings(endpoint: "e", identity: identity, identityPlace: place)
        )
    }

    private func post(_ event: Int64, to id: Int64 = 1, in machine: inout DeliveryMachine, now: Instant = .zero) {
        var commit = Commit()
        let stored = StoredEvent(id: EventID(event), key: .none, acceptedMS: 0, data: Payload("x"))
        commit.appended = [Commit.Appended(destination: DestinationID(id), events: [stored])]
        file.events[DestinationID(id), default: []].append(stored)
        machine.committed(commit, now: now)
    }

    /// What is sent, once what is to be read for it was read.
    private func send(_ machine: inout DeliveryMachine, now: Instant) -> [Batch] {
        var batches: [Batch] = []
        var reads = true
        while reads {
            let plan = machine.plan(now: now)
            batches += sent(plan)
            reads = false
            for case .load(let request) in plan.actions {
                guard case .scan(let after, _, _) = request.what else { continue }
                reads = true
                let events = (file.events[request.destination] ?? []).filter { $0.id > after }
                let found = events.prefix(request.maxEvents)
                let through = found.count < events.count ? found.last?.id : file.last
                machine.loaded(
                    LoadedEvents(destination: request.destination, events: Array(found), through: through ?? .zero),
                    now: now
                )
            }
        }
        return batches
    }

    private func sent(_ plan: DeliveryMachine.Plan) -> [Batch] {
        plan.actions.compactMap { if case .send(let batch) = $0 { batch } else { nil } }
    }

    private func faults(_ plan: DeliveryMachine.Plan) -> [String] {
        plan.actions.compactMap { if case .report(.faulted(_, let fault)) = $0 { fault.message } else { nil } }
    }

    private func hasRecovered(_ plan: DeliveryMachine.Plan) -> Bool {
        plan.actions.contains { if case .report(.recovered) = $0 { true } else { false } }
    }

    @Test func whileCredentialsAreAwaitedNothingIsSentAndNothingIsWrong() throws {
        var machine = machine()
        machine.credentialsAwaited(identity: "us")
        post(1, in: &machine)
        let plan = machine.plan(now: .zero)
        #expect(sent(plan).isEmpty && faults(plan).isEmpty)
        #expect(plan.wakeAt == .never, "only news of credentials bring something to do")
        #expect(machine.status().map(\.state) == [.ok])
        machine.credentialsChanged(identity: "us", now: .zero)
        #expect(sent(machine.plan(now: .zero)).count == 1)
    }

    @Test func withoutCredentialsNothingIsTriedHoweverLongItLasts() throws {
        var machine = machine()
        machine.credentialsMissing(identity: "us", missing, now: .zero)
        post(1, in: &machine)
        let plan = machine.plan(now: .zero)
        #expect(sent(plan).isEmpty)
        #expect(faults(plan) == ["There are none."])
        #expect(plan.wakeAt == .never)
        machine.flush(now: .zero)
        #expect(sent(machine.plan(now: .zero + .seconds(3600))).isEmpty)
        let status = try #require(machine.status().first)
        #expect(status.state == .parked && status.lastFault?.code == "no_credentials")
        #expect(status.lastFault?.message == "There are none." && status.lastFault?.remedy == "Get some.")
    }

    @Test func oneThatIsThereAgainIsTriedAtOnceAndThenAllIsWell() throws {
        var machine = machine()
        machine.credentialsMissing(identity: "us", missing, now: .zero)
        let later = Instant.zero + .seconds(100)
        machine.credentialsChanged(identity: "us", now: later)
        post(1, in: &machine, now: later)
        let batch = try #require(send(&machine, now: later).first)
        machine.answered(batch.attempt, .answered([accepted]), now: later)
        #expect(hasRecovered(machine.plan(now: later)))
        #expect(machine.status().map(\.state) == [.ok])
    }

    @Test func anAnswerToAnEarlierRequestBringsNoCredentials() throws {
        var machine = machine()
        for event in [1, 2] as [Int64] { post(event, in: &machine, now: .zero + .seconds(Int(event))) }
        let first = try #require(sent(machine.plan(now: .zero + .seconds(2))).first)
        machine.credentialsMissing(identity: "us", missing, now: .zero + .seconds(3))
        machine.answered(first.attempt, .answered(first.events.map { _ in accepted }), now: .zero + .seconds(4))
        post(3, in: &machine, now: .zero + .seconds(5))
        let plan = machine.plan(now: .zero + .seconds(5))
        #expect(sent(plan).isEmpty && !hasRecovered(plan))
        #expect(machine.status().first?.lastFault?.code == "no_credentials")
    }

    @Test func aRefusalOfAnEarlierRequestDoesNotHideThatThereAreNone() throws {
        var machine = machine()
        post(1, in: &machine)
        let batch = try #require(sent(machine.plan(now: .zero)).first)
        machine.credentialsMissing(identity: "us", missing, now: .zero)
        let refused = SendFailure(kind: .response, status: 400, code: "ExpiredTokenException", message: "Expired.")
        machine.answered(batch.attempt, .failed(refused), now: .zero + .seconds(1))
        _ = machine.plan(now: .zero + .seconds(1))
        #expect(machine.status().first?.lastFault?.code == "no_credentials")
        machine.credentialsChanged(identity: "us", now: .zero + .seconds(2))
        let again = send(&machine, now: .zero + .seconds(2))
        #expect(again.count == 1, "what was taken back goes again")
    }

    @Test func aDestinationThatComesLaterIsParkedToo() {
        var machine = DeliveryMachine(settings: DeliverySettings(), seed: 1)
        machine.credentialsMissing(identity: "us", missing, now: .zero)
        #expect(faults(machine.plan(now: .zero)).isEmpty, "nobody is concerned")
        open(1, in: &machine)
        #expect(faults(machine.plan(now: .zero)) == ["There are none."])
        #expect(machine.status().map(\.state) == [.parked])
    }

    @Test func identitiesStandForThemselvesAndHoldInAllTheirPlaces() {
        var machine = machine()
        open(2, in: &machine, place: "elsewhere")
        open(3, in: &machine, identity: "them")
        machine.credentialsMissing(identity: "us", missing, now: .zero)
        #expect(machine.status().map(\.state) == [.parked, .parked, .ok])
        for id in [1, 2, 3] as [Int64] { post(id, to: id, in: &machine) }
        #expect(sent(machine.plan(now: .zero)).map(\.destination) == [DestinationID(3)])
        machine.credentialsChanged(identity: "us", now: .zero)
        let batches = send(&machine, now: .zero)
        #expect(Set(batches.map(\.destination)) == [DestinationID(1), DestinationID(2)])
    }
}
