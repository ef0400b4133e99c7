// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// Bodies that are whole, on their way to the queue.
extension HTTPConversation {
    /// What a request holds beside its body.
    static let requestOverhead = 512
    /// What an event holds beside its data and key, from here until it is stored.
    static let eventOverhead = 160
    /// Events of a request that are made before it is known whether there is room for them.
    private static let eventsAtOnce = 1024

    /// Makes events of the body, which is whole, and hands them to the queue, if there is room for them.
    ///
    /// - Parameter granted: bytes that are charged for it already, after it waited for them.
    /// - Returns: whether it is off; otherwise it waits.
    @discardableResult
    func submit(granted: Int = 0) -> Bool {
        guard let shape = machine.shape else { return true }
        let least = machine.body.count + Self.requestOverhead
        let known = max(0, granted - least) / Self.eventOverhead
        do throws(Refusal) {
            let whole = RequestBody(rules: loop.rules, block: machine.body)
            switch try shape.events(of: whole, atMost: max(known, Self.eventsAtOnce)) {
            case .answer(let write):
                if granted > 0 { loop.release(granted) }
                bodyTaken()
                answer(sequence, write)
            case .tooMany(let count): return wait(least + count * Self.eventOverhead)
            case .events(let events):
                let bytes = granted > 0 ? granted : least + events.count * Self.eventOverhead
                guard granted > 0 || loop.budget.admit(bytes) else { return wait(bytes) }
                let identity = events.first.flatMap { machine.key?.identity(of: whole.block, for: $0.destination) }
                bodyTaken()
                loop.append(
                    events,
                    identity,
                    size: least - Self.requestOverhead,
                    bytes: bytes,
                    owner: .exchange(self, sequence: sequence, shape: shape)
                )
            }
        } catch {
            if granted > 0 { loop.release(granted) }
            bodyTaken()
            refuse(sequence, error, type(of: shape))
        }
        return true
    }

    private func bodyTaken() { machine.bodyTaken(isLast: exchanges[sequence].mode.closes) }

    private func wait(_ bytes: Int) -> Bool {
        machine.waitForRoom()
        loop.budget.wait(connection, for: bytes)
        loop.peakHeld = max(loop.peakHeld, loop.budget.held)
        loop.grant()
        return machine.phase != .room
    }

    func roomGranted(_ bytes: Int) {
        guard machine.phase == .room else { return loop.release(bytes) }
        submit(granted: bytes)
        takeInbox()
    }
}
