// SPDX-License-Identifier: Apache-2.0

/// Takes the answer to a request, once, from any thread; later ones are ignored.
public typealias ControlReply<Value> = @Sendable (Result<Value, ControlError>) -> Void

/// Does what operators ask for.
///
/// All functions are called on the control server's own queue and must not block it: start the work where it belongs,
/// and call `reply` from there, even minutes later.
public protocol ControlHandler: AnyObject, Sendable {
    func status(reply: @escaping ControlReply<StatusReport>)
    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>)
    /// Replies once the events are committed.
    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>)
    /// Replies as soon as the queue is empty, or when the time is over.
    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>)
    func pause(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>)
    func resume(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>)
    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>)
    func deadLetter(id: Int64, reply: @escaping ControlReply<DeadLetterReport>)
    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueReport>)
}

extension ControlHandler {
    /// Hands a request to the function that is meant; `reply` gets the line to be sent.
    func handle(_ request: ControlRequest, reply: @escaping @Sendable ([UInt8]) -> Void) {
        switch request {
        case .status: status { reply(ControlProtocol.encode($0)) }
        case .peek(let request): peek(request) { reply(ControlProtocol.encode($0)) }
        case .send(let request): send(request) { reply(ControlProtocol.encode($0)) }
        case .flush(let request): flush(request) { reply(ControlProtocol.encode($0)) }
        case .pause(let stream): pause(stream) { reply(ControlProtocol.encode($0)) }
        case .resume(let stream): resume(stream) { reply(ControlProtocol.encode($0)) }
        case .deadLetters(let query): deadLetters(query) { reply(ControlProtocol.encode($0)) }
        case .deadLetter(let id): deadLetter(id: id) { reply(ControlProtocol.encode($0)) }
        case .requeue(let request): requeue(request) { reply(ControlProtocol.encode($0)) }
        }
    }
}
