// SPDX-License-Identifier: Apache-2.0

extension IngestLoop {
    /// Finds a place for a new client: where all are taken, that of one that is idle.
    ///
    /// - Returns: whether it is one more than may be, and is only told so.
    /// - Throws: where there is no place even for that.
    func admit(_ door: Door, _ connections: ConnectionCount) throws(IngestError) -> Bool {
        while case .crowded(let crowd) = connections.enter(door) {
            let isFreed =
                closeIdle(of: crowd) || (crowd != door && closeSlowest(of: crowd))
                || (crowd != door && closeIdle(of: door))
            guard !isFreed else { continue }
            if connections.enterAsSurplus() { return true }
            throw .accept(reason: "all of listen.max_connections are in use")
        }
        return false
    }

    /// Closes a connection of `door` that nobody will miss: the longest silent of those that never said anything, else
    /// of those that stopped in the middle of a request, else of those that are idle.
    func closeIdle(of door: Door) -> Bool {
        var best: (connection: Connection, rank: Int)?
        for connection in connections.values where connection.isInPlace(at: door) {
            guard let rank = rank(connection) else { continue }
            if let best, (best.rank, best.connection.lastRead) < (rank, connection.lastRead) { continue }
            best = (connection, rank)
        }
        return close(best?.connection)
    }

    private func rank(_ connection: Connection) -> Int? {
        if connection.inputCount == 0 { return 0 }
        if connection.isIdle { return 2 }
        return connection.hasStopped ? 1 : nil
    }

    /// Closes the connection of `door` that waits for its client for longest, in the middle of a request too.
    func closeSlowest(of door: Door) -> Bool {
        let slowest = connections.values
            .filter { $0.isInPlace(at: door) && $0.waitsForClient }
            .min { $0.lastRead < $1.lastRead }
        return close(slowest)
    }

    private func close(_ connection: Connection?) -> Bool {
        guard let connection else { return false }
        connection.close()
        return true
    }
}

extension Connection {
    /// Whether it takes one of the places of `door`.
    fileprivate func isInPlace(at door: Door) -> Bool { self.door == door && !isSurplus && !isStream }
}
