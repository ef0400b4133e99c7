// SPDX-License-Identifier: Apache-2.0

internal import AgentCore

/// What the first bytes of a request lead to.
enum Opening {
    enum Decision {
        case health
        case readiness
        /// Its body is wanted.
        case plan(RequestPlan)
        case refused(Refusal, ReplyShape)
    }

    /// The head is not complete.
    case incomplete
    case fault(HTTPFault)
    case request(RequestHead, Decision)

    /// - Parameter isLocal: on the Unix socket.
    init(_ bytes: UnsafeRawBufferPointer, isLocal: Bool, access: AccessRules, rules: RequestRules) {
        do {
            guard let head = try RequestHead.parse(bytes) else {
                self = .incomplete
                return
            }
            self = .request(head, Self.decide(head, bytes, isLocal, access, rules))
        } catch {
            self = .fault(error)
        }
    }

    private static func decide(
        _ head: RequestHead,
        _ bytes: UnsafeRawBufferPointer,
        _ isLocal: Bool,
        _ access: AccessRules,
        _ rules: RequestRules
    ) -> Decision {
        var shape = ReplyShape.native
        do throws(Refusal) {
            try access.check(head, head: bytes, isLocal: isLocal)
            let path = head.path.bytes(in: bytes)
            if head.amazonTarget.isPresent, path.count <= 1 { throw .notAvailable("The Kinesis API (X-Amz-Target)") }
            let route = try Route.find(head.method, path)
            switch route {
            case .health: return .health
            case .readiness: return .readiness
            case .events: shape = .native
            case .put: shape = .put
            case .lambda: shape = .lambda
            }
            let plan = try RequestPlan(head, route: route, head: bytes, rules: rules)
            if let length = head.contentLength {
                if length > plan.bodyLimit { throw .bodyTooLarge(limit: plan.bodyLimit) }
            } else if !head.isChunked {
                throw Refusal(411, "length_required", "Send Content-Length, or a chunked body.")
            }
            return .plan(plan)
        } catch {
            return .refused(error, shape)
        }
    }
}
