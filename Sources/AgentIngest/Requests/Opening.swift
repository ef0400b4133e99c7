// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// What the first bytes of a request lead to.
enum Opening {
    // What is rare and large is boxed, so that a decision is small, and cheap to hand on.
    enum Decision {
        case probe(Probe)
        indirect case preflight(Preflight)
        /// Its body is wanted.
        case body(any RequestShape, IdempotencyKey?)
        /// `shape`: the form in which it is said; `nil`: the usual one.
        indirect case refused(Refusal, shape: (any RequestShape.Type)?)
    }

    /// The head is not complete.
    case incomplete
    case fault(HTTPFault)
    case request(RequestHead, AllowedOrigin, Decision)

    init(
        _ bytes: UnsafeRawBufferPointer,
        access: AccessRules,
        rules: RequestRules,
        isLocal: Bool,
        cameTo: () -> SocketAddress?
    ) {
        do {
            guard let head = try RequestHead.parse(bytes) else {
                self = .incomplete
                return
            }
            var origin = AllowedOrigin.none
            let decision = Self.decide(head, bytes, &origin, access, rules, isLocal, cameTo)
            self = .request(head, origin, decision)
        } catch {
            self = .fault(error)
        }
    }

    private static func decide(
        _ head: RequestHead,
        _ bytes: UnsafeRawBufferPointer,
        _ origin: inout AllowedOrigin,
        _ access: AccessRules,
        _ rules: RequestRules,
        _ isLocal: Bool,
        _ cameTo: () -> SocketAddress?
    ) -> Decision {
        let request = RequestView(head: head, bytes: bytes)
        var known: (any RequestShape.Type)?
        do throws(Refusal) {
            origin = try access.origin(of: head, bytes)
            try access.checkHost(of: head, bytes, isLocal: isLocal, cameTo: cameTo)
            if origin != .none, let preflight = Preflight(head, bytes) { return .preflight(preflight) }
            if let probe = try Probe(request) { return .probe(probe) }
            let (type, stream) = try RequestShapes.find(request)
            known = type
            let shape = try type.init(request, stream: stream, rules)
            if let length = head.contentLength {
                if length > shape.bodyLimit { throw .bodyTooLarge(limit: shape.bodyLimit) }
            } else if !head.isChunked {
                throw Refusal(411, "length_required", "Send Content-Length, or a chunked body.")
            }
            return .body(shape, try IdempotencyKey.find(in: request))
        } catch {
            return .refused(error, shape: known)
        }
    }
}
