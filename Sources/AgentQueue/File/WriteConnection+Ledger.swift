// SPDX-License-Identifier: Apache-2.0
import AgentCore
import CSQLite

/// What the file holds, in numbers, checked for sense as they are read.
extension WriteConnection {
    func clockMark() throws(QueueError) -> AgentClock.Mark {
        let row = try SQLiteStatement(
            connection,
            "SELECT clock_ms, wall_ms, wall_trusted, boot, uptime_ns FROM agent WHERE id = 1"
        )
        guard try row.step() else { throw missing("agent") }
        return AgentClock.Mark(
            agentMS: row.natural(0),
            wallMS: row.natural(1),
            isWallTrusted: row.integer(2) != 0,
            boot: row.text(3),
            uptimeNS: row.natural(4)
        )
    }

    /// Reads totals and the first and last event of each destination: no more for a long queue than for a short one.
    func ledger() throws(QueueError) -> Ledger {
        var ledger = Ledger()
        let agent = try SQLiteStatement(connection, "SELECT next_id, serial FROM agent WHERE id = 1")
        guard try agent.step() else { throw missing("agent") }
        ledger.nextID = EventID(agent.natural(0))
        ledger.serial = agent.natural(1)
        guard EventID.plausible.contains(ledger.nextID.rawValue) else {
            throw damaged("check the numbers", "the next event was to be \(ledger.nextID)")
        }
        let fileBytes = try pages() * 4096
        var tables = try connection.eventTables()
        let carryOvers = try connection.carryOvers()
        let carried = Set(carryOvers.map(\.destination))
        let rows = try SQLiteStatement(
            connection,
            """
            SELECT id, account, region, name, paused, total.destination, \(QueueTotals.columns)
            FROM destination LEFT JOIN total ON total.destination = destination.id ORDER BY id
            """
        )
        while try rows.step() {
            let id = DestinationID(rows.integer(0))
            guard DestinationID.plausible.contains(id.rawValue) else {
                throw damaged("check the numbers", "a destination has the number \(id)")
            }
            guard tables.remove(Schema.eventTable(id)) != nil else {
                throw damaged("look for the events", "those of \(id) are gone")
            }
            guard !rows.isNull(5) else { throw damaged("check the totals", "those of \(id) are gone") }
            var account = Ledger.Account(
                id: id,
                destination: Destination(account: rows.text(1), region: rows.text(2), stream: rows.text(3)),
                isStored: true,
                isPaused: rows.integer(4) != 0
            )
            account.totals = QueueTotals(rows, from: 6)
            let table = EventTable(connection, taken, id)
            account.head = try table.first()
            account.last = try table.last()
            let isWhole = !carried.contains(id)
            if let fault = ledger.fault(of: account, isWhole: isWhole, fileBytes: fileBytes) {
                throw damaged("check the totals", fault)
            }
            ledger.add(account)
        }
        if let table = tables.first { throw damaged("look for the destinations", "that of \(table) is gone") }
        var toCome: [CarryOver.Table: CarryOver.Amount] = [:]
        for var carryOver in carryOvers {
            if let position = ledger.position(of: carryOver.destination) {
                let amount = ledger.accounts[position].totals.amount(of: carryOver.rows)
                carryOver.limit(to: amount - toCome[carryOver.table, default: CarryOver.Amount()])
                toCome[carryOver.table, default: CarryOver.Amount()].add(carryOver.left)
            }
            ledger.add(carryOver)
        }
        return ledger
    }

    private func missing(_ table: String) -> QueueError { damaged("read table \(table)", "its row is gone") }

    private func damaged(_ operation: String, _ message: String) -> QueueError {
        .damaged(operation: operation, message: message, code: SQLITE_CORRUPT)
    }
}
