// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Connections of all event loops.
final class ConnectionCount: Sendable {
    enum Admission {
        case welcome
        /// One more than may be: it is only told so.
        case surplus
        /// There is no place even to tell it.
        case none
    }

    private let limit: Int
    private let count = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// What is not ``Admission/none`` must ``leave()``.
    func enter() -> Admission {
        let now = count.wrappingAdd(1, ordering: .relaxed).newValue
        if now <= limit { return .welcome }
        if now <= limit + max(limit / 4, 16) { return .surplus }
        leave()
        return .none
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
