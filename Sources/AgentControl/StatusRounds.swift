// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Synchronization

/// Serves everybody who waits for the status with one report: at most one is made at a time, however many ask.
///
/// Who asks while one is made gets the next, which shows all that happened before the question. Any thread.
final class StatusRounds: Sendable {
    typealias Reply = @Sendable ([UInt8]) -> Void

    private struct State {
        var waiting: [Reply] = []
        /// The report that is being made; `nil`: none is.
        var round: UInt64?
        var rounds: UInt64 = 0
    }

    private let state = Mutex(State())
    private let handler: any ControlHandler
    /// Where reports are encoded.
    private let queue: DispatchQueue

    init(handler: any ControlHandler, queue: DispatchQueue) {
        self.handler = handler
        self.queue = queue
    }

    /// - Parameter reply: gets the line to be sent.
    func ask(_ reply: @escaping Reply) {
        let isFirst = state.withLock { state in
            state.waiting.append(reply)
            return state.waiting.count == 1 && state.round == nil
        }
        if isFirst { begin() }
    }

    private func begin() {
        let (round, asked) = state.withLock { state in
            defer { state.waiting = [] }
            state.rounds += 1
            state.round = state.rounds
            return (state.rounds, state.waiting)
        }
        handler.status { [self] result in
            queue.async { [self] in
                // A second reply to the same question.
                guard state.withLock({ $0.round == round }) else { return }
                let line = ControlProtocol.encode(status: result)
                for reply in asked { reply(line) }
                let goesOn = state.withLock { state in
                    state.round = nil
                    return !state.waiting.isEmpty
                }
                if goesOn { begin() }
            }
        }
    }
}
