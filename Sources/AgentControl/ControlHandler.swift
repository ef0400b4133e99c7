// SPDX-License-Identifier: Apache-2.0

internal import Dispatch

/// Takes the answer to a request, once, from any thread; later ones are ignored.
public typealias ControlReply<Value> = @Sendable (Result<Value, ControlError>) -> Void

/// Does what operators ask for.
///
/// All functions are called on one of the control server's own queues and must not block it: start the work where it
/// belongs, and call `reply` from there, even minutes later.
public protocol ControlHandler: AnyObject, Sendable {
    /// Called again only after the reply to the call before.
    func status(reply: @escaping ControlReply<StatusReport>)
    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>)
    /// Replies once the events are committed.
    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>)
    /// Replies as soon as the queue is empty, or when the time is over.
    ///
    /// - Returns: What ends the wait: called where nobody is there any more to take the reply.
    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void
    func pause(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>)
    func resume(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>)
    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>)
    func deadLetter(id: Int64, reply: @escaping ControlReply<DeadLetterReport>)
    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueStep>)
}

/// Hands requests to a ``ControlHandler`` and encodes what it answers, on a queue of its own: the thread that brings an
/// answer is the delivery's, the writer's or the reader's, and has better things to do. One answer is encoded at a
/// time, so that no more than one takes memory for it.
final class ControlDesk: Sendable {
    private let handler: any ControlHandler
    private let queue = DispatchQueue(label: "agentd.control.answers")
    private let statuses: StatusRounds

    init(handler: any ControlHandler) {
        self.handler = handler
        statuses = StatusRounds(handler: handler, queue: queue)
    }

    /// - Parameter reply: gets the line to be sent.
    /// - Returns: What to call where nobody is there any more to take the reply; `nil`: the request is short anyway.
    func handle(
        _ request: ControlRequest,
        reply: @escaping @Sendable ([UInt8]) -> Void
    ) -> (@Sendable () -> Void)? {
        switch request {
        case .status: statuses.ask(reply)
        case .peek(let request): handler.peek(request, reply: encoding(reply))
        case .send(let request): handler.send(request, reply: encoding(reply))
        case .flush(let request): return handler.flush(request, reply: encoding(reply))
        case .pause(let stream): handler.pause(stream, reply: encoding(reply))
        case .resume(let stream): handler.resume(stream, reply: encoding(reply))
        case .deadLetters(let query): handler.deadLetters(query, reply: encoding(reply))
        case .deadLetter(let id): handler.deadLetter(id: id, reply: encoding(reply))
        case .requeue(let request): handler.requeue(request, reply: encoding(reply))
        }
        return nil
    }

    private func encoding<Value: Encodable & Sendable>(
        _ reply: @escaping @Sendable ([UInt8]) -> Void
    ) -> ControlReply<Value> {
        { [queue] result in queue.async { reply(ControlProtocol.encode(result)) } }
    }
}
