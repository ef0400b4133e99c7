// SPDX-License-Identifier: Apache-2.0
internal import AgentCore
internal import Dispatch
internal import Synchronization

/// Something that happens once, and that others wait for: that the agent is to stop, that the last request has ended.
/// Any thread.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
        var lastID = 0
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock(\.isOpen) }

    /// Whether it was this call that opened it.
    @discardableResult func open() -> Bool {
        let waiters = state.withLock { state -> [CheckedContinuation<Bool, Never>]? in
            if state.isOpen { return nil }
            state.isOpen = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        guard let waiters else { return false }
        for waiter in waiters { waiter.resume(returning: true) }
        return true
    }

    /// Waits until it is open, at most until `deadline`; whether it is.
    @discardableResult func wait(until deadline: ContinuousClock.Instant? = nil) async -> Bool {
        await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                if state.isOpen { return nil }
                state.lastID += 1
                state.waiters[state.lastID] = continuation
                return state.lastID
            }
            guard let id else { return continuation.resume(returning: true) }
            guard let deadline else { return }
            let left = max(.zero, deadline - .now)
            DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(left.wholeNanoseconds))) { [self] in
                state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: false)
            }
        }
    }
}
