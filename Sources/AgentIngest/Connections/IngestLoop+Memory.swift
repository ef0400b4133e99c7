// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

// Who gives way when memory is short
// ==================================
//
// Connections that wait to read do no harm, nor do those that they wait for, as long as these move: one of them at a
// time reads on whatever there is, and so all become whole. But who announces much and then sends nothing, or a byte
// now and then, would keep all others waiting. So while somebody waits who has something to say, it is looked every
// fifth of a second how many bytes each connection has sent that holds some, and the slowest have to go until half of
// the memory is free. What the agent itself did not read counts as sent.

extension IngestLoop {
    private static let judgingPeriod = TimeAmount.milliseconds(200)
    /// Bytes in that time from which on a client is not slow.
    private static let leastPace = 16 << 10
    /// A peak from which on memory is given back to the system after it.
    private static let notablePeak = 8 << 20

    func mayRead(_ connection: Connection, isSmall: Bool) -> Bool {
        if budget.mayRead(connection, holding: connection.holding, isSmall: isSmall) { return true }
        judgeLater()
        return false
    }

    func charge(_ change: Int, to connection: Connection) {
        budget.charge(change, to: connection, holding: connection.holding)
        if change < 0 { grant() } else { peakHeld = max(peakHeld, budget.held) }
    }

    func release(_ bytes: Int) {
        if bytes == 0 { return }
        budget.release(bytes)
        grant()
    }

    /// Lets those go on who waited.
    func grant() {
        while let (connection, bytes) = budget.nextSender() {
            if !connection.roomGranted(bytes) { budget.release(bytes) }
        }
        while let connection = budget.nextReader() { connection.readGranted() }
    }

    private func judgeLater() {
        if isJudging { return }
        isJudging = true
        eventLoop.scheduleTask(in: Self.judgingPeriod) {
            self.isJudging = false
            self.judge()
            if self.budget.hasReaders { self.judgeLater() }
        }
    }

    private func judge() {
        guard budget.hasReaders else { return }
        var slow: [(connection: Connection, pace: Int)] = []
        var isAnyoneHeldUp = false
        for connection in connections.values where connection.holding > 0 {
            let waiting = connection.waitingInput
            if connection.isWaitingToRead, waiting > 0 { isAnyoneHeldUp = true }
            let before = connection.countWhenJudged
            connection.countWhenJudged = connection.inputCount
            guard let before, !connection.isWhollySent else { continue }
            let pace = connection.inputCount - before + waiting
            if pace < Self.leastPace { slow.append((connection, pace)) }
        }
        guard isAnyoneHeldUp else { return }
        slow.sort { $0.pace < $1.pace }
        makeRoom(by: slow.map(\.connection)) { budget.incoming > budget.limit / 2 }
    }

    /// Where more came in at once than can be held, those go that are silent for longest.
    func relieve() {
        guard budget.isOverfull else { return }
        let holders = connections.values.filter { $0.holding > 0 }
            .sorted { ($0.waitsForQueue ? 1 : 0, $0.lastRead) < ($1.waitsForQueue ? 1 : 0, $1.lastRead) }
        makeRoom(by: holders) { budget.isFull }
    }

    private func makeRoom(by holders: [Connection], while isNeeded: () -> Bool) {
        var count = 0
        for connection in holders where isNeeded() {
            connection.giveWay()
            count += 1
        }
        flush()
        if count > 0, let untold = shortages.happened(count, at: eventLoop.now) {
            notify(.memoryShort(closed: untold))
        }
    }

    /// Whether something is still to be said or given back.
    var isMemoryWatched: Bool { peakHeld >= Self.notablePeak || shortages.isGoingOn }

    /// To be called about once a second.
    func lookAfterMemory() {
        if shortages.isOver(at: eventLoop.now) { notify(.memoryEnough) }
        if peakHeld >= Self.notablePeak, budget.held < Self.notablePeak / 8 {
            peakHeld = 0
            notify(.memoryFreed)
        }
    }
}
