// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore

/// An agentd that answers as it is told, and remembers what it was asked.
final class ScriptedHandler: Sendable {
    struct Script {
        var status: Result<StatusReport, ControlError> = .success(StatusReport())
        var events: [EventReport] = []
        var letters: [DeadLetterReport] = []
        var flushesTo = FlushReport(empty: true, queuedEvents: 0)
        var refusal: ControlError?
        /// The dead letter at which a requeue ends.
        var noRoomFor: Int64?
        var noRoom = "There is no room."
        /// Where a stream is that is paused or resumed, if its name says nothing else.
        var regionOfPaused = "us-east-1"
        /// Reply to each request so often.
        var replies = 1
        /// Keep the reply to a flush until ``release()``.
        var holdsFlush = false
        /// Likewise of a status, and of what reads or writes the queue.
        var holdsStatus = false
        var holdsWork = false
    }

    private struct State {
        var script: Script
        var requests: [any ControlVerb] = []
        var held: [@Sendable () -> Void] = []
        var nextID: Int64 = 1
        var abandoned = 0
    }

    private let state: Lock<State>

    init(_ script: Script = Script()) { state = Lock(State(script: script)) }

    func change(_ body: (inout Script) -> Void) { state.withLock { body(&$0.script) } }

    var requests: [any ControlVerb] { state.withLock { $0.requests } }

    /// Flushes whose wait was ended.
    var abandoned: Int { state.withLock { $0.abandoned } }

    func release() {
        for reply in state.withLock({
            let held = $0.held; $0.held = []; return held
        }) { reply() }
    }

    var handlers: [VerbHandler] {
        [
            VerbHandler(status), VerbHandler(peek), VerbHandler(send), .waiting(flush), VerbHandler(pause),
            VerbHandler(resume), VerbHandler(deadLetters), VerbHandler(deadLetter), VerbHandler(requeue),
            VerbHandler(purgeDeadLetters),
        ]
    }

    private func answer<Verb: ControlVerb>(
        _ request: Verb,
        _ reply: @escaping ControlReply<Verb.Answer>,
        _ value: (inout Script) -> Result<Verb.Answer, ControlError>
    ) {
        let reply: ControlReply<Verb.Answer>? = state.withLock { state in
            state.requests.append(request)
            let holds =
                switch request {
                case is StatusRequest: state.script.holdsStatus
                case is FlushRequest: state.script.holdsFlush
                default: state.script.holdsWork
                }
            guard holds else { return reply }
            let result = value(&state.script)
            state.held.append { reply(result) }
            return nil
        }
        guard let reply else { return }
        let (result, times) = state.withLock { state in
            if let refusal = state.script.refusal { return (Result<Verb.Answer, ControlError>.failure(refusal), 1) }
            return (value(&state.script), state.script.replies)
        }
        for _ in 0..<times { reply(result) }
    }

    func status(_ request: StatusRequest, reply: @escaping ControlReply<StatusReport>) {
        answer(request, reply) { $0.status }
    }

    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>) {
        answer(request, reply) {
            // Two at a time: pages are shorter than asked for where they are large.
            .success(Array($0.events.filter { $0.id > request.after }.prefix(min(2, request.limit))))
        }
    }

    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>) {
        let first = state.withLock { state in
            defer { state.nextID += Int64(request.events.count) }
            return state.nextID
        }
        answer(request, reply) { _ in .success(SendReport(accepted: request.events.count, firstID: first)) }
    }

    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void {
        answer(request, reply) { .success($0.flushesTo) }
        return { [self] in state.withLock { $0.abandoned += 1 } }
    }

    func pause(_ request: PauseRequest, reply: @escaping ControlReply<PauseReport>) {
        answer(request, reply) { script in
            .success(
                PauseReport(
                    name: request.stream.name,
                    region: request.stream.region ?? script.regionOfPaused,
                    paused: true,
                    queuedEvents: 3
                )
            )
        }
    }

    func resume(_ request: ResumeRequest, reply: @escaping ControlReply<PauseReport>) {
        answer(request, reply) { script in
            .success(
                PauseReport(
                    name: request.stream.name,
                    region: request.stream.region ?? script.regionOfPaused,
                    paused: false,
                    queuedEvents: 3
                )
            )
        }
    }

    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>) {
        answer(query, reply) {
            .success(Array($0.letters.filter { $0.event.id > query.after }.prefix(min(2, query.limit))))
        }
    }

    func deadLetter(_ request: DeadLetterRequest, reply: @escaping ControlReply<DeadLetterReport>) {
        answer(request, reply) { script in
            guard let letter = script.letters.first(where: { $0.event.id == request.id }) else {
                return .failure(ControlError(.notFound, "There is no dead letter \(request.id)."))
            }
            return .success(letter)
        }
    }

    /// A dead letter a step, which is gone then.
    func purgeDeadLetters(_ request: PurgeDeadLettersRequest, reply: @escaping ControlReply<PurgeStep>) {
        answer(request, reply) { script in
            var step = PurgeStep()
            let ids = script.letters.map(\.event.id)
            if case .ids(let wanted) = request.which {
                step.events = wanted.filter(ids.contains).count
                step.missing = wanted.count - step.events
                if !request.dryRun { script.letters.removeAll { wanted.contains($0.event.id) } }
            } else if let id = ids.first(where: { $0 > request.after }) {
                step.events = 1
                step.next = .init(after: id, through: ids.last ?? 0)
                if !request.dryRun { script.letters.removeAll { $0.event.id == id } }
            }
            step.bytes = step.events * 1024
            return .success(step)
        }
    }

    /// A dead letter a step.
    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueStep>) {
        answer(request, reply) { script in
            var step = RequeueStep()
            let ids = script.letters.map(\.event.id)
            switch request.which {
            case .ids(let wanted):
                step.events = wanted.filter(ids.contains).count
                step.missing = wanted.count - step.events
            case .stream where request.dryRun:
                step.events = ids.count
            case .stream:
                if let id = ids.first(where: { $0 > request.after }) {
                    if id == script.noRoomFor { step.stoppedBecause = script.noRoom } else { step.events = 1 }
                    if step.events == 1 { step.next = .init(after: id, through: ids.last ?? 0) }
                }
            }
            step.bytes = step.events * 1024
            return .success(step)
        }
    }
}

extension EventReport {
    static func sample(_ id: Int64, key: String = "", _ data: Payload) -> EventReport {
        EventReport(id: id, key: EventKey(partitionKey: key), ageSeconds: 65, data: data)
    }
}

extension DeadLetterReport {
    static func sample(_ id: Int64, _ data: Payload = Payload("{}")) -> DeadLetterReport {
        DeadLetterReport(
            event: .sample(id, key: "k", data),
            stream: "clicks",
            region: "us-east-1",
            code: "record_rejected",
            reason: "The record is too large.",
            deadSeconds: 5
        )
    }
}
