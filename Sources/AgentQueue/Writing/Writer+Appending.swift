// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// How events get into the queue.
extension Writer {
    func append(_ request: AppendRequest, _ now: Int64, _ draft: inout Draft, _ file: WriteConnection)
        throws(QueueError)
    {
        if request.events.isEmpty { return draft.store(request, first: ledger.nextID) }
        if let identity = request.identity, try answerAgain(request, identity, now, &draft, file) { return }
        charge(request)
        if let refusal = try makeRoom(&draft, file) {
            turnAway(request, refusal)
            return draft.refuse(request, refusal)
        }
        let firstID = ledger.nextID
        var id = firstID.rawValue
        var rest = request.events[...]
        while let destination = rest.first?.destination {
            let run = rest.prefix { $0.destination == destination }
            let position = position(of: destination)
            try storedTable(position, file).insert(run, first: EventID(id), acceptedMS: now)
            draft.append(run, first: EventID(id), acceptedMS: now, to: destination, at: position)
            id += Int64(run.count)
            rest = rest[run.endIndex...]
        }
        ledger.nextID = EventID(id)
        for charge in charges {
            ledger.appended(
                charge.events,
                bytes: charge.bytes,
                to: charge.position,
                head: Ledger.Head(id: EventID(firstID.rawValue + Int64(charge.first)), acceptedMS: now),
                last: EventID(firstID.rawValue + Int64(charge.last))
            )
        }
        if let identity = request.identity {
            try file.receiptTable().insert(identity, first: firstID, count: request.events.count, atMS: now)
        }
        draft.store(request, first: firstID)
    }

    /// Sums a request up by destination.
    private func charge(_ request: AppendRequest) {
        charges.removeAll(keepingCapacity: true)
        chargePlaces.removeAll(keepingCapacity: true)
        var rest = request.events[...]
        while let destination = rest.first?.destination {
            // As long as the destination stays the same, which most often is to the end.
            let run = rest.prefix { $0.destination == destination }
            let place = chargePlace(of: position(of: destination), first: run.startIndex)
            charges[place].events += run.count
            charges[place].bytes += run.reduce(0) { $0 + $1.queueBytes }
            charges[place].last = run.endIndex - 1
            rest = rest[run.endIndex...]
        }
    }

    private func chargePlace(of position: Int, first: Int) -> Int {
        if charges.last?.position == position { return charges.count - 1 }
        if !charges.isEmpty, let place = chargePlaces[position] { return place }
        chargePlaces[position] = charges.count
        charges.append(Charge(position: position, first: first, last: first))
        return charges.count - 1
    }

    /// Counts the events of a request that is refused for good, and takes note of the limit that it met.
    func turnAway(_ request: AppendRequest, _ refusal: AppendRefusal) {
        noticeFull(refusal, bytes: request.queueBytes)
        guard refusal.turnsAway(request) else { return }
        var rest = request.events[...]
        while let destination = rest.first?.destination {
            let run = rest.prefix { $0.destination == destination }
            ledger.refused(run.count, at: position(of: destination))
            rest = rest[run.endIndex...]
        }
    }

    /// Removes old events where that is allowed; `nil` when the charges fit.
    private func makeRoom(_ draft: inout Draft, _ file: WriteConnection) throws(QueueError) -> AppendRefusal? {
        let quota = Quota(maxBytes: machine.settings.maxBytes)
        while let refusal = quota.refusal(of: charges, in: ledger) {
            guard machine.settings.whenFull == .dropOldest,
                let (position, bytes) = quota.victim(for: charges, refusedBy: refusal, in: &ledger)
            else { return refusal }
            // Its oldest are still to come.
            guard ledger.accounts[position].heldBelow == .zero else { return refusal }
            let id = ledger.accounts[position].id
            let table = file.table(id)
            let rows = try table.removeOldest(freeing: bytes)
            guard rows.count > 0 else { return refusal }
            ledger.removed(rows, cause: .evicted, at: position)
            try updateHead(at: position, table, after: rows)
            draft.remove(rows, of: id, at: position, cause: .evicted)
            droppedThrough[id] = rows.through
        }
        return nil
    }

    /// Where the ledger has the destination; it is entered there when it is new.
    func position(of id: DestinationID) -> Int {
        if let position = ledger.position(of: id) { return position }
        let known = registry.entry(id)
        var account = Ledger.Account(id: id, destination: known.destination)
        account.maxBytes = known.maxBytes
        ledger.add(account)
        return ledger.accounts.count - 1
    }

    /// The destination's table; made in this transaction if this is its first event.
    func storedTable(_ position: Int, _ file: WriteConnection) throws(QueueError) -> EventTable {
        if !ledger.accounts[position].isStored {
            try file.create(ledger.accounts[position].id, ledger.accounts[position].destination)
            ledger.stored(at: position)
        }
        return file.table(ledger.accounts[position].id)
    }

    /// Keeps the ledger's oldest event up to date after `rows` went.
    func updateHead(at position: Int, _ table: EventTable, after rows: RemovedRows) throws(QueueError) {
        guard rows.count > 0, let head = ledger.accounts[position].head, rows.first <= head.id else { return }
        let isEmpty = ledger.accounts[position].totals.queuedEvents == 0
        ledger.setHead(isEmpty ? nil : try table.first(), at: position)
    }
}
