// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore

/// An agentd that answers as it is told, and remembers what it was asked.
final class ScriptedHandler: ControlHandler {
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
        var requests: [ControlRequest] = []
        var held: [@Sendable () -> Void] = []
        var nextID: Int64 = 1
        var abandoned = 0
    }

    private let state: Lock<State>

    init(_ script: Script = Script()) { state = Lock(State(script: script)) }

    func change(_ body: (inout Script) -> Void) { state.withLock { body(&$0.script) } }

    var requests: [ControlRequest] { state.withLock { $0.requests } }

    /// Flushes whose wait was ended.
    var abandoned: Int { state.withLock { $0.abandoned } }

    func release() {
        for reply in state.withLock({
            let held = $0.held; $0.held = []; return held
        }) { reply() }
    }

    private func answer<Value: Sendable>(
        _ request: ControlRequest,
        _ reply: @escaping ControlReply<Value>,
        _ value: (inout Script) -> Result<Value, ControlError>
    ) {
        let reply: ControlReply<Value>? = state.withLock { state in
            state.requests.append(request)
            let holds =
                switch request {
                case .status: state.script.holdsStatus
                case .flush: state.script.holdsFlush
                default: state.script.holdsWork
                }
            guard holds else { return reply }
            let result = value(&state.script)
            state.held.append { reply(result) }
            return nil
        }
        guard let reply else { return }
        let (result, times) = state.withLock { state in
            if let refusal = state.script.refusal { return (Result<Value, ControlError>.failure(refusal), 1) }
            return (value(&state.script), state.script.replies)
        }
        for _ in 0..<times { reply(result) }
    }

    func status(reply: @escaping ControlReply<StatusReport>) { answer(.status, reply) { $0.status } }

    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>) {
        answer(.peek(request), reply) {
            // Two at a time: pages are shorter than asked for where they are large.
            .success(Array($0.events.filter { $0.id > request.after }.prefix(min(2, request.limit))))
        }
    }

    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>) {
        let first = state.withLock { state in
            defer { state.nextID += Int64(request.events.count) }
            return state.nextID
        }
        answer(.send(request), reply) { _ in .success(SendReport(accepted: request.events.count, firstID: first)) }
    }

    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void {
        answer(.flush(request), reply) { .success($0.flushesTo) }
        return { [self] in state.withLock { $0.abandoned += 1 } }
    }

    func pause(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        answer(.pause(stream), reply) { script in
            .success(
                PauseReport(
                    name: stream.name,
                    region: stream.region ?? script.regionOfPaused,
                    paused: true,
                    queuedEvents: 3
                )
            )
        }
    }

    func resume(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        answer(.resume(stream), reply) { script in
            .success(
                PauseReport(
                    name: stream.name,
                    region: stream.region ?? script.regionOfPaused,
                    paused: false,
                    queuedEvents: 3
                )
            )
        }
    }

    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>) {
        answer(.deadLetters(query), reply) {
            .success(Array($0.letters.filter { $0.event.id > query.after }.prefix(min(2, query.limit))))
        }
    }

    func deadLetter(id: Int64, reply: @escaping ControlReply<DeadLetterReport>) {
        answer(.deadLetter(id: id), reply) { script in
            guard let letter = script.letters.first(where: { $0.event.id == id }) else {
                return .failure(ControlError(.notFound, "There is no dead letter \(id)."))
            }
            return .success(letter)
        }
    }

    /// A dead letter a step.
    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueStep>) {
        answer(.requeue(request), reply) { script in
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
