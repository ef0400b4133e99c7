// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Dead letters to be queued again, with new ids, at the tail: one step of it, which is short.
public struct RequeueRequest: ControlVerb {
    public typealias Answer = RequeueStep

    public static let verb = "requeue"

    public enum Which: Sendable, Encodable {
        /// At most ``ControlLimits/idsPerRequest``.
        case ids([Int64])
        case stream(StreamReference)
    }

    public let which: Which
    /// Only count what would be requeued.
    public let dryRun: Bool
    /// Of a stream: only those with larger ids, from where the step before ended.
    public let after: Int64
    /// Of a stream: only those with ids up to this, so that letters which come back meanwhile are left alone. 0: what
    /// there is now.
    public let through: Int64

    public init(_ which: Which, dryRun: Bool, after: Int64 = 0, through: Int64 = 0) {
        self.which = which
        self.dryRun = dryRun
        self.after = after
        self.through = through
    }

    public var lane: ControlLane { .writing }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        which = try Which(arguments)
        dryRun = try arguments.flag("dry_run")
        after = try arguments.integer("after", in: ControlLimits.after, absent: 0)
        through = try arguments.integer("through", in: ControlLimits.after, absent: 0)
    }
}

extension RequeueRequest.Which {
    /// `{"ids":{"_0":[1,2]}}` or `{"stream":{"_0":"clicks"}}`, as Swift writes an enumeration.
    fileprivate init(_ arguments: ControlArguments) throws(ControlError) {
        if let which = arguments["which"].flatMap({ ControlArguments($0, place: "of 'which'") }) {
            if let ids = which["ids"].flatMap({ ControlArguments($0, place: "of 'ids'") }) {
                self = .ids(try ids.ids("_0"))
                return
            }
            if let stream = which["stream"].flatMap({ ControlArguments($0, place: "of 'stream'") }) {
                self = .stream(try stream.stream("_0"))
                return
            }
        }
        throw ControlError(.badRequest, "'which' of 'requeue' must say ids or a stream.")
    }
}

/// What one step of a requeue did.
public struct RequeueStep: Sendable, Equatable, Codable {
    /// Requeued, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Where the next step goes on: ``RequeueRequest/after`` and ``RequeueRequest/through``. `nil`: there is none.
    public var next: StepRange?
    /// Why it ended early, with dead letters left: a sentence.
    public var stoppedBecause: String?

    public init() {}
}

/// What a requeue did, all steps together.
public struct RequeueReport: Sendable, Equatable, Encodable {
    /// Requeued, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Why it ended early, with dead letters left: a sentence.
    @ExplicitNull public var stoppedBecause: String?

    mutating func add(_ step: RequeueStep) {
        events += step.events
        bytes += step.bytes
        missing += step.missing
        stoppedBecause = step.stoppedBecause.map { SafeText.line($0) }
    }
}

extension ControlClient {
    /// Asks for step after step until all is done, or agentd stops.
    ///
    /// - Returns: What was done; also where a later step failed, which ``RequeueReport/stoppedBecause`` tells then.
    public func requeue(_ which: RequeueRequest.Which, dryRun: Bool) throws(ControlFailure) -> RequeueReport {
        var report = RequeueReport()
        var steps: [RequeueRequest] =
            switch which {
            case .stream: [RequeueRequest(which, dryRun: dryRun)]
            case .ids(let given):
                Self.groups(of: Set(given).sorted()).reversed().map { RequeueRequest(.ids($0), dryRun: dryRun) }
            }
        while let request = steps.popLast(), report.stoppedBecause == nil {
            do throws(ControlFailure) {
                let step = try ask(request)
                report.add(step)
                if let next = step.next {
                    steps.append(RequeueRequest(which, dryRun: dryRun, after: next.after, through: next.through))
                }
            } catch {
                if report == RequeueReport() { throw error }
                report.stoppedBecause = "\(error)"
            }
        }
        return report
    }

    static func groups(of ids: [Int64]) -> [[Int64]] {
        stride(from: 0, to: ids.count, by: ControlLimits.idsPerRequest).map { start in
            Array(ids[start..<min(start + ControlLimits.idsPerRequest, ids.count)])
        }
    }
}
