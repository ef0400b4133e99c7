// SPDX-License-Identifier: Apache-2.0

import AgentControl
import AgentCore
import Synchronization

/// An agentd that answers as it is told, and remembers what it was asked.
final class ScriptedHandler: ControlHandler {
    struct Script {
        var status: Result<StatusReport, ControlError> = .success(StatusReport())
        var events: [EventReport] = []
        var letters: [DeadLetterReport] = []
        var flushesTo = FlushReport(empty: true, queuedEvents: 0)
        var refusal: ControlError?
        /// Reply to each request so often.
        var replies = 1
        /// Keep the reply to a flush until ``release()``.
        var holdsFlush = false
    }

    private struct State {
        var script: Script
        var requests: [ControlRequest] = []
        var held: [@Sendable () -> Void] = []
        var nextID: Int64 = 1
    }

    private let state: Mutex<State>

    init(_ script: Script = Script()) { state = Mutex(State(script: script)) }

    var requests: [ControlRequest] { state.withLock { $0.requests } }

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
        let (result, times) = state.withLock { state in
            state.requests.append(request)
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

    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) {
        let holds = state.withLock { $0.script.holdsFlush }
        guard holds else { return answer(.flush(request), reply) { .success($0.flushesTo) } }
        state.withLock { state in
            state.requests.append(.flush(request))
            let report = state.script.flushesTo
            state.held.append { reply(.success(report)) }
        }
    }

    func pause(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        answer(.pause(stream), reply) { _ in
            .success(
                PauseReport(name: stream.name, region: stream.region ?? "us-east-1", paused: true, queuedEvents: 3)
            )
        }
    }

    func resume(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        answer(.resume(stream), reply) { _ in
            .success(
                PauseReport(name: stream.name, region: stream.region ?? "us-east-1", paused: false, queuedEvents: 3)
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

    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueReport>) {
        answer(.requeue(request), reply) { .success(RequeueReport(events: $0.letters.count, bytes: 2048)) }
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
