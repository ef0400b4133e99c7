// SPDX-License-Identifier: Apache-2.0

internal import Dispatch

/// Takes the answer to a request, once, from any thread; later ones are ignored.
public typealias ControlReply<Value> = @Sendable (Result<Value, ControlError>) -> Void

/// A verb, and what does it.
///
/// The function is called on one of the control server's own queues and must not block it: it starts the work where it
/// belongs, and calls the reply from there, even minutes later. Where the verb is shared, it is called again only after
/// the reply to the call before.
public struct VerbHandler: Sendable {
    let verb: String
    /// Ready for requests, whose answers are encoded on this queue.
    let attached: @Sendable (DispatchQueue) -> AttachedVerb

    public init<Verb: ControlVerb>(
        _ body: @escaping @Sendable (Verb, @escaping ControlReply<Verb.Answer>) -> Void
    ) {
        self.init(of: Verb.self) { request, reply in
            body(request, reply)
            return nil
        }
    }

    /// Of a verb that waits. What `body` returns ends the wait: it is called where nobody is there any more to take the
    /// reply.
    public static func waiting<Verb: ControlVerb>(
        _ body: @escaping @Sendable (Verb, @escaping ControlReply<Verb.Answer>) -> @Sendable () -> Void
    ) -> VerbHandler {
        VerbHandler(of: Verb.self) { request, reply in body(request, reply) }
    }

    private init<Verb: ControlVerb>(
        of _: Verb.Type,
        _ body: @escaping @Sendable (Verb, @escaping ControlReply<Verb.Answer>) -> (@Sendable () -> Void)?
    ) {
        verb = Verb.verb
        attached = { queue in
            let rounds = SharedRounds<Verb>(queue: queue) { request, reply in _ = body(request, reply) }
            return AttachedVerb(isShared: Verb.isShared) { (arguments) throws(ControlError) in
                let request = try Verb(reading: arguments)
                return ControlCall(request: request) { reply in
                    if Verb.isShared {
                        rounds.ask(request, reply)
                        return nil
                    }
                    return body(request) { result in queue.async { reply(Verb.line(result)) } }
                }
            }
        }
    }
}

/// A verb of a server.
struct AttachedVerb: Sendable {
    let isShared: Bool
    let read: @Sendable (ControlArguments) throws(ControlError) -> ControlCall
}

/// A request that was read, and can be begun.
struct ControlCall: Sendable {
    let request: any ControlVerb
    /// The reply gets the line to be sent.
    ///
    /// - Returns: What to call where nobody is there any more to take the reply; `nil`: the request is short anyway.
    let begin: @Sendable (_ reply: @escaping @Sendable ([UInt8]) -> Void) -> (@Sendable () -> Void)?
}
