// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import Dispatch
internal import Synchronization

/// Keeps the credentials of one identity ready: gets them on a queue of its own, ahead of their end and whenever a file
/// that they are from changes, and tells of each change. Any thread.
// `queue` guards `schedule`, `stamps`, `changed` and `timer`, which are used on it only; all else is Sendable.
public final class CredentialKeeper: CredentialProvider, @unchecked Sendable {
    private let chain: CredentialChain
    private let time: @Sendable () -> WallTime
    private let watchEvery: Duration
    private let queue = DispatchQueue(label: "agentd.credentials")
    private let timer: any DispatchSourceTimer
    /// The answer that is there now.
    private let answer = Mutex(Result<Credentials, CredentialError>.failure(.pending))

    private var schedule: RefreshSchedule
    private var stamps: [(file: String, stamp: FileStamp?)] = []
    private var changed: (@Sendable (Result<Credentials, CredentialError>) -> Void)?

    /// Looks at the time at least this often while something is due: machines sleep.
    private static let longestWait: Duration = .seconds(60)

    /// - Parameters:
    ///   - chain: Asked on the keeper's queue only.
    ///   - time: The service's time, as near as it is known.
    ///   - watchEvery: How often files are looked at.
    public init(
        _ chain: CredentialChain,
        time: @escaping @Sendable () -> WallTime = { .now() },
        watchEvery: Duration = .seconds(2),
        seed: UInt64 = .random(in: 0 ... .max)
    ) {
        self.chain = chain
        self.time = time
        self.watchEvery = watchEvery
        schedule = RefreshSchedule(seed: seed)
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.look() }
        timer.activate()
    }

    deinit { timer.cancel() }

    /// Begins to get them. To be called once.
    ///
    /// - Parameter changed: Called with each new answer, the first one included, once it is the one at hand. On the
    ///   keeper's queue.
    public func start(_ changed: @escaping @Sendable (Result<Credentials, CredentialError>) -> Void) {
        queue.async { [self] in
            self.changed = changed
            look()
        }
    }

    public func credentials() throws(CredentialError) -> Credentials { try answer.withLock { $0 }.get() }

    public func invalidate(_ refused: Credentials) {
        queue.async { [self] in
            if schedule.refused(refused, now: .sinceBoot()) { look() }
        }
    }

    private func look() {
        dispatchPrecondition(condition: .onQueue(queue))
        let isDue = schedule.isDue(wall: time(), now: .sinceBoot())
        if isDue || stamps.contains(where: { FileStamp.of($0.file) != $0.stamp }) { ask() }
        let due = schedule.due
        var wait = Self.longestWait
        if due != .never { wait = min(wait, max(.zero, due - .sinceBoot())) }
        if !stamps.isEmpty { wait = min(wait, watchEvery) }
        if due == .never, stamps.isEmpty {
            timer.schedule(deadline: .distantFuture)
        } else {
            let nanoseconds = Int(wait.wholeNanoseconds)
            timer.schedule(deadline: .now() + .nanoseconds(nanoseconds), leeway: .nanoseconds(nanoseconds / 10))
        }
    }

    private func ask() {
        // Taken before, so that a change during the reading is seen.
        let before = chain.files.map { (file: $0, stamp: FileStamp.of($0)) }
        let wall = time()
        let asked = chain.ask(now: wall)
        stamps = before.filter { asked.files.contains($0.file) }
        guard schedule.answered(asked.found, wall: wall, now: .sinceBoot()), let kept = schedule.kept else { return }
        answer.withLock { $0 = kept }
        changed?(kept)
    }
}
