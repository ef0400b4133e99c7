// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Ends a sender's running request, and every later one, from any thread.
public final class SendCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    public init() {}

    /// The running request ends within a second; its records may be stored.
    public func cancel() { flag.store(true, ordering: .relaxed) }

    public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
