// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// No connection keeps the others waiting: one that has more to do than fits into its turn gets another one, behind all
/// others and what their sockets have to say.
extension IngestLoop {
    /// Turns that are taken before sockets are read again.
    private static let turnsAtOnce = 16

    /// Lets a connection go on behind all others that have something to do.
    func later(_ connection: Connection) {
        turns.append(connection)
        guard turns.count == 1, !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.execute { self.takeTurns() }
    }

    private func takeTurns() {
        isTurnScheduled = false
        for _ in 0..<Self.turnsAtOnce {
            guard let connection = turns.popFirst() else { return }
            connection.goOn()
        }
        if turns.isEmpty || isTurnScheduled { return }
        isTurnScheduled = true
        // What is to be executed at once comes before what sockets have to say; this does not.
        eventLoop.scheduleTask(in: .microseconds(50)) { self.takeTurns() }
    }

    /// Whether some connections wait for their turn.
    var hasTurns: Bool { !turns.isEmpty }
}
