// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// How events leave the queue, and come back to it from the dead letters.
extension Writer {
    func settle(_ settlement: Settlement, _ draft: inout Draft, _ file: WriteConnection) throws(QueueError) {
        draft.settle(settlement)
        guard let position = ledger.position(of: settlement.destination), ledger.accounts[position].isStored else {
            return
        }
        let table = file.table(settlement.destination)
        let rows = try table.remove(settlement.ids)
        if rows.count > 0, let head = ledger.accounts[position].head, rows.first == head.id {
            draft.deliveredOldest(ageMS: agentNow - head.acceptedMS)
        }
        ledger.delivered(rows, at: position)
        try updateHead(at: position, table, after: rows)
    }

    func bury(_ letter: DeadLetter, _ draft: inout Draft, _ file: WriteConnection) throws(QueueError) {
        draft.bury(letter)
        guard let position = ledger.position(of: letter.destination), ledger.accounts[position].isStored else {
            return
        }
        let table = file.table(letter.destination)
        let rows = try table.bury(letter, deadMS: agentNow)
        ledger.buried(rows, at: position)
        try updateHead(at: position, table, after: rows)
    }

    /// Purges the oldest dead letters while there are more than the operator allows.
    func enforceDeadLetterLimit(_ file: WriteConnection) throws(QueueError) {
        let letters = try file.deadLetterTable()
        var purged = 0
        while ledger.deadEvents > machine.settings.maxDeadLetters
            || ledger.deadBytes > machine.settings.maxDeadLetterBytes
        {
            guard let oldest = try letters.oldest() else { break }
            try letters.remove(oldest.id)
            purged += 1
            if let position = ledger.position(of: oldest.destination) {
                ledger.purged(1, bytes: oldest.bytes, at: position)
            }
        }
        if purged > 0 { observer?.noticed(.deadLettersPurged(count: purged)) }
    }

    func carryOut(_ order: Order, _ draft: inout Draft, _ file: WriteConnection) throws(QueueError) {
        var outcome = Order.Outcome()
        switch order.action {
        case .requeue(let ids):
            outcome = try requeue(ids, &draft, file)
        case .purge(let ids):
            for id in ids where try purge(id, file) { outcome.count += 1 }
        case .setPaused(let isPaused, let id):
            let position = position(of: id)
            _ = try storedTable(position, file)
            try file.setPaused(isPaused, id)
            ledger.setPaused(isPaused, at: position)
        }
        draft.reply(to: order, outcome)
    }

    /// What one transaction requeues: a few milliseconds.
    private static let requeueSlice = (ids: 500, bytes: Int64(1 << 20))

    private func requeue(_ ids: ArraySlice<EventID>, _ draft: inout Draft, _ file: WriteConnection)
        throws(QueueError) -> Order.Outcome
    {
        var outcome = Order.Outcome()
        for id in ids {
            guard outcome.looked < Self.requeueSlice.ids, outcome.bytes < Self.requeueSlice.bytes else { break }
            switch try requeue(id, &draft, file) {
            case .requeued(let bytes):
                outcome.count += 1
                outcome.bytes += bytes
            case .notThere: break
            case .refused(let refusal):
                outcome.refusal = refusal
                return outcome
            }
            outcome.looked += 1
        }
        return outcome
    }

    private enum Requeueing {
        case requeued(bytes: Int64)
        case notThere
        case refused(AppendRefusal)
    }

    /// Puts a dead letter at the tail of its destination, with a new id and a new age, if there is room.
    private func requeue(_ letter: EventID, _ draft: inout Draft, _ file: WriteConnection)
        throws(QueueError) -> Requeueing
    {
        let letters = try file.deadLetterTable()
        let id = ledger.nextID
        let now = agentNow
        var refusal: AppendRefusal?
        let found = try letters.with(letter) {
            (destination, row, isWhole) throws(QueueError) -> (Int, StoredEvent, Int64)? in
            // A number that rotted is no destination's.
            guard let position = ledger.position(of: destination) else { return nil }
            let charge = Charge(position: position, events: 1, bytes: row.quotaBytes, first: 0, last: 0)
            refusal = Quota(maxBytes: machine.settings.maxBytes).refusal(of: [charge], in: ledger)
            guard refusal == nil else { return nil }
            // What rotted among the dead letters is found when it is read.
            try storedTable(position, file).insert(row, isWhole: isWhole, id: id, acceptedMS: now)
            return (position, StoredEvent(row, id: id, acceptedMS: now), row.quotaBytes)
        }
        if let refusal { return .refused(refusal) }
        guard let (position, event, bytes) = found ?? nil else { return .notThere }
        try letters.remove(letter)
        ledger.nextID = EventID(id.rawValue + 1)
        ledger.requeued(1, bytes: bytes, to: position, head: Ledger.Head(id: id, acceptedMS: now), last: id)
        draft.append(event, to: ledger.accounts[position].id, at: position)
        return .requeued(bytes: bytes)
    }

    private func purge(_ letter: EventID, _ file: WriteConnection) throws(QueueError) -> Bool {
        let letters = try file.deadLetterTable()
        let found = try letters.with(letter) { (destination, row, _) throws(QueueError) in
            (destination, row.quotaBytes)
        }
        guard let (destination, bytes) = found else { return false }
        try letters.remove(letter)
        if let position = ledger.position(of: destination) { ledger.purged(1, bytes: bytes, at: position) }
        return true
    }
}

extension StoredEvent {
    init(_ row: Row, id: EventID, acceptedMS: Int64) {
        self.init(
            id: id,
            key: EventKey(
                partitionKey: String(decoding: row.key, as: UTF8.self),
                explicitHashKey: row.hashKey.isEmpty ? "" : String(decoding: row.hashKey, as: UTF8.self)
            ),
            acceptedMS: acceptedMS,
            data: Payload(copying: row.data)
        )
    }
}
