// SPDX-License-Identifier: Apache-2.0

public import AgentCore

/// Dead letters to be deleted for good: one step of it, which is short.
public struct PurgeDeadLettersRequest: ControlVerb {
    public typealias Answer = PurgeStep

    public static let verb = "purge_dead_letters"

    public enum Which: Sendable, Hashable {
        /// At most ``ControlLimits/idsPerRequest``.
        case ids([Int64])
        case stream(StreamReference)
        case all
    }

    public let which: Which
    /// Only those that were given up at least so long ago. See ``ControlLimits/ageSeconds``.
    public let olderThanSeconds: Double
    /// Only count what would be deleted.
    public let dryRun: Bool
    /// But for ids: only those with larger ids, from where the step before ended.
    public let after: Int64
    /// But for ids: only those with ids up to this. 0: what there is now.
    public let through: Int64

    public init(_ which: Which, olderThanSeconds: Double = 0, dryRun: Bool, after: Int64 = 0, through: Int64 = 0) {
        self.which = which
        self.olderThanSeconds = olderThanSeconds
        self.dryRun = dryRun
        self.after = after
        self.through = through
    }

    public var lane: ControlLane { .writing }

    public init(reading arguments: ControlArguments) throws(ControlError) {
        which = try Which(arguments)
        olderThanSeconds = try arguments.number("older_than_seconds", in: ControlLimits.ageSeconds)
        dryRun = try arguments.flag("dry_run")
        after = try arguments.integer("after", in: ControlLimits.after, absent: 0)
        through = try arguments.integer("through", in: ControlLimits.after, absent: 0)
    }

    private enum CodingKeys: String, CodingKey {
        case ids, stream, all, olderThanSeconds, dryRun, after, through
    }

    /// Of `ids`, `stream` and `all` just one.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch which {
        case .ids(let ids): try container.encode(ids, forKey: .ids)
        case .stream(let stream): try container.encode(stream, forKey: .stream)
        case .all: try container.encode(true, forKey: .all)
        }
        try container.encode(olderThanSeconds, forKey: .olderThanSeconds)
        try container.encode(dryRun, forKey: .dryRun)
        try container.encode(after, forKey: .after)
        try container.encode(through, forKey: .through)
    }
}

extension PurgeDeadLettersRequest.Which {
    /// What is destroyed is never guessed: just one of the three has to be there.
    fileprivate init(_ arguments: ControlArguments) throws(ControlError) {
        let given = ["ids", "stream", "all"].filter { arguments[$0] != nil }
        switch given {
        case ["ids"]: self = .ids(try arguments.ids("ids"))
        case ["stream"]: self = .stream(try arguments.stream("stream"))
        case ["all"] where try arguments.flag("all"): self = .all
        default: throw ControlError(.badRequest, "'purge_dead_letters' must say either ids, a stream, or all.")
        }
    }
}

/// What one step of a purge did.
public struct PurgeStep: Sendable, Equatable, Codable {
    /// Deleted, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Where the next step goes on. `nil`: there is none.
    public var next: StepRange?

    public init() {}
}

/// What a purge did, all steps together.
public struct PurgeReport: Sendable, Equatable, Encodable {
    /// Deleted, or found by a dry run.
    public var events = 0
    /// Their data and keys.
    public var bytes = 0
    /// Ids that are not, or no longer, dead letters'.
    public var missing = 0
    /// Why it ended early, with dead letters left: a sentence.
    @ExplicitNull public var stoppedBecause: String?
}

extension ControlClient {
    /// Asks for step after step until all is done.
    ///
    /// - Returns: What was done; also where a later step failed, which ``PurgeReport/stoppedBecause`` tells then.
    public func purgeDeadLetters(
        _ which: PurgeDeadLettersRequest.Which,
        olderThanSeconds: Double,
        dryRun: Bool
    ) throws(ControlFailure) -> PurgeReport {
        func request(_ which: PurgeDeadLettersRequest.Which, _ range: StepRange? = nil) -> PurgeDeadLettersRequest {
            PurgeDeadLettersRequest(
                which,
                olderThanSeconds: olderThanSeconds,
                dryRun: dryRun,
                after: range?.after ?? 0,
                through: range?.through ?? 0
            )
        }
        var report = PurgeReport()
        var steps: [PurgeDeadLettersRequest] =
            switch which {
            case .stream, .all: [request(which)]
            case .ids(let ids): Self.groups(of: Set(ids).sorted()).reversed().map { request(.ids($0)) }
            }
        while let next = steps.popLast() {
            do throws(ControlFailure) {
                let step = try ask(next)
                report.events += step.events
                report.bytes += step.bytes
                report.missing += step.missing
                if let range = step.next { steps.append(request(which, range)) }
            } catch {
                if report == PurgeReport() { throw error }
                report.stoppedBecause = "\(error)"
                break
            }
        }
        return report
    }
}
