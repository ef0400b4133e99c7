// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Ends a sender's requests, from any thread. The sender looks at it at least once a second while a request is under way.
public final class SendCancellation: Sendable {
    private let flag = Atomic<Bool>(false)
    private let stalledFlag = Atomic<Bool>(false)

    public init() {}

    /// The running request ends within a second, and so does every later one; its records may be stored.
    public func cancel() { flag.store(true, ordering: .relaxed) }

    /// The running request ends as soon as no byte of it has moved for a second; its records may be stored.
    public func cancelIfStalled() { stalledFlag.store(true, ordering: .relaxed) }

    // For the sender.

    /// Whether no request is to go on.
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }

    /// Whether the running request is to end once it stands still.
    public var endsWhenStalled: Bool { stalledFlag.load(ordering: .relaxed) }

    /// A request begins: what was said of an earlier one does not hold for it.
    public func beginRequest() { stalledFlag.store(false, ordering: .relaxed) }
}
