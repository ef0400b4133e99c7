// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import AgentQueue
internal import Synchronization

/// Passes on what the queue tells. The queue is opened before those exist who listen, and tells of commits only after
/// the first append; notices of the opening itself are kept until then.
final class QueueTap: QueueObserver {
    private struct Listeners {
        var onCommit: (@Sendable (Commit) -> Void)?
        var onNotice: (@Sendable (QueueNotice) -> Void)?
        var early: [QueueNotice] = []
    }

    private let listeners = Mutex(Listeners())

    func connect(
        onCommit: @escaping @Sendable (Commit) -> Void,
        onNotice: @escaping @Sendable (QueueNotice) -> Void
    ) {
        let early = listeners.withLock { listeners in
            listeners.onCommit = onCommit
            listeners.onNotice = onNotice
            defer { listeners.early = [] }
            return listeners.early
        }
        for notice in early { onNotice(notice) }
    }

    func committed(_ commit: Commit) {
        listeners.withLock(\.onCommit)?(commit)
    }

    func noticed(_ notice: QueueNotice) {
        let listener = listeners.withLock { listeners in
            if listeners.onNotice == nil { listeners.early.append(notice) }
            return listeners.onNotice
        }
        listener?(notice)
    }
}
