// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Synchronization

/// Serves everybody who waits for a shared verb with one answer: at most one is made at a time, however many ask.
///
/// Who asks while one is made gets the next, which shows all that happened before the question. Any thread.
final class SharedRounds<Verb: ControlVerb>: Sendable {
    typealias Reply = @Sendable ([UInt8]) -> Void

    private struct State {
        var waiting: [Reply] = []
        /// The answer that is being made; `nil`: none is.
        var round: UInt64?
        var rounds: UInt64 = 0
    }

    private let state = Mutex(State())
    /// Where answers are encoded.
    private let queue: DispatchQueue
    private let make: @Sendable (Verb, @escaping ControlReply<Verb.Answer>) -> Void

    init(queue: DispatchQueue, make: @escaping @Sendable (Verb, @escaping ControlReply<Verb.Answer>) -> Void) {
        self.queue = queue
        self.make = make
    }

    /// - Parameter reply: gets the line to be sent.
    func ask(_ request: Verb, _ reply: @escaping Reply) {
        let isFirst = state.withLock { state in
            state.waiting.append(reply)
            return state.waiting.count == 1 && state.round == nil
        }
        if isFirst { begin(request) }
    }

    private func begin(_ request: Verb) {
        let (round, asked) = state.withLock { state in
            defer { state.waiting = [] }
            state.rounds += 1
            state.round = state.rounds
            return (state.rounds, state.waiting)
        }
        make(request) { [self] result in
            queue.async { [self] in
                // A second reply to the same question.
                guard state.withLock({ $0.round == round }) else { return }
                let line = Verb.line(result)
                for reply in asked { reply(line) }
                let goesOn = state.withLock { state in
                    state.round = nil
                    return !state.waiting.isEmpty
                }
                if goesOn { begin(request) }
            }
        }
    }
}
