// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Dispatch

/// Does what operators ask for through the control socket: each verb in a file of its own, in Verbs.
final class ControlService: Sendable {
    let store: EventQueue
    let delivery: DeliveryLoop
    let catalog: StreamCatalog
    let flusher: Flusher
    let condition: AgentCondition
    let sent = SendAnswers()
    /// Where reports of the status are put together.
    let assembling = DispatchQueue(label: "agentd.status")

    init(
        store: EventQueue,
        delivery: DeliveryLoop,
        catalog: StreamCatalog,
        flusher: Flusher,
        condition: AgentCondition
    ) {
        self.store = store
        self.delivery = delivery
        self.catalog = catalog
        self.flusher = flusher
        self.condition = condition
    }

    var handlers: [VerbHandler] {
        [
            VerbHandler(status), VerbHandler(peek), VerbHandler(send), .waiting(flush), VerbHandler(pause),
            VerbHandler(resume), VerbHandler(deadLetters), VerbHandler(deadLetter), VerbHandler(requeue),
            VerbHandler(purgeDeadLetters),
        ]
    }

    // MARK: Shared

    /// The destination that an operator names: configured, or with a place in the queue.
    func destination<Value>(_ stream: StreamReference, _ reply: ControlReply<Value>) -> DestinationID? {
        if let known = catalog.known(stream) { return known.id }
        let named = store.snapshot().streams.filter { stream.matches($0.destination) }
        if named.count == 1 { return named[0].id }
        let message =
            named.isEmpty
            ? "There is no stream \(stream), neither in the configuration nor in the queue."
            : "\(stream) is in several regions: say \(named.map { "\($0.destination)" }.joined(separator: " or "))."
        reply(.failure(ControlError(.noSuchStream, message)))
        return nil
    }

    var names: [DestinationID: Destination] {
        Dictionary(uniqueKeysWithValues: store.snapshot().streams.map { ($0.id, $0.destination) })
    }

    static func error(_ error: QueueError) -> ControlError { ControlError(.failed, "\(error)") }

    static func report(_ event: StoredEvent, now: Int64) -> EventReport {
        EventReport(
            id: event.id.rawValue,
            key: event.key,
            ageSeconds: Double(max(0, now - event.acceptedMS)) / 1000,
            data: event.data
        )
    }

    static func report(
        _ letter: StoredDeadLetter,
        names: [DestinationID: Destination],
        now: Int64
    ) -> DeadLetterReport {
        DeadLetterReport(
            event: report(letter.event, now: now),
            stream: names[letter.destination]?.stream ?? "",
            region: names[letter.destination]?.region ?? "",
            code: letter.code,
            reason: letter.reason,
            deadSeconds: Double(max(0, now - letter.deadMS)) / 1000
        )
    }

    func finish<Value: Sendable>(
        _ reply: @escaping ControlReply<Value>,
        _ body: @escaping @Sendable () async throws(ControlError) -> Value
    ) {
        Task {
            do throws(ControlError) {
                reply(.success(try await body()))
            } catch {
                reply(.failure(error))
            }
        }
    }
}
