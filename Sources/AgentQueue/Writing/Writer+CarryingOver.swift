// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Glibc

/// How the rows of a damaged file come into the one that took its place: see Salvage.swift.
extension Writer {
    private static let sliceBytes: Int64 = 1 << 20

    /// How often, once a second, a file that cannot be opened is tried.
    private static let mostOpenings = 10

    /// Goes on with it after the work that waits.
    func planCarryingOver(afterMS delay: Int = 0) {
        guard settings.carriesOver, !carrying.isPlanned, !machine.isClosed, file != nil,
            !ledger.carryOvers.isEmpty
        else { return }
        carrying.isPlanned = true
        queue.asyncAfter(deadline: .now() + .milliseconds(delay)) { [weak self] in
            guard let self else { return }
            self.carrying.isPlanned = false
            self.carryOver()
        }
    }

    /// Carries one slice over. What fails is tried again by upkeep, or when the file was opened again.
    func carryOver() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !machine.isClosed, file != nil, let current = ledger.carryOvers.first else { return }
        noticeCarrying(current)
        let serial = ledger.serial
        carrying.slice = (after: current, outcome: .end)
        machine.slice(.carry)
        perform()
        let (after, outcome) = carrying.slice ?? (current, .end)
        carrying.slice = nil
        guard ledger.serial > serial, file != nil else { return planUpkeep() }
        switch outcome {
        case .more: planCarryingOver()
        case .later: planCarryingOver(afterMS: 1000)
        case .end:
            if ledger.carryOvers.first?.source != current.source {
                carrying.source = nil
                unlink(asidePath(current) + "-shm")
            }
            published.setHeld(ledger.held)
            releaseHeldBack()
            noticeCarried(after)
            planCarryingOver()
        }
    }

    func carrySlice(_ draft: inout Draft, _ file: WriteConnection) throws(QueueError) {
        guard let current = ledger.carryOvers.first else { return }
        carrying.slice = try carryOver(current, file)
        draft.touch()
    }

    private func carryOver(_ current: CarryOver, _ file: WriteConnection) throws(QueueError) -> (
        CarryOver, CarrySource.Outcome
    ) {
        guard ledger.position(of: current.destination) != nil else {
            // There is no such destination: the number rotted.
            try file.remove(current)
            ledger.dropCarryOver()
            return (current, .end)
        }
        var place = current.place
        var carried = current.carried
        var outcome = CarrySource.Outcome.end
        // Without its file, or its table, all that is still to come is lost.
        switch openSource(current) {
        case .later: return (current, .later)
        case .gone: break
        case .open(let source):
            let insertion = try file.insertion(of: current)
            outcome = try source.read(from: &place, mostRows: settings.carryRows, mostBytes: Self.sliceBytes) {
                (rows) throws(QueueError) -> Int64 in
                let row = Row(key: rows.bytes(1), hashKey: rows.bytes(2), data: rows.bytes(5))
                // What fails its checksum would never be sent: it is among the lost.
                let stamp = Stamp(
                    id: EventID(rows.integer(0)),
                    destination: current.destination,
                    acceptedMS: rows.integer(3)
                )
                guard row.isWhole(stamp, rows, column: 4) else { return row.quotaBytes }
                try insertion.take(row, rows, current.rows)
                carried.count += Int64(file.lastChangeCount)
                carried.bytes += Int64(file.lastChangeCount) * row.quotaBytes
                return row.quotaBytes
            }
        }
        var next = current
        next.place = place
        next.carried = carried
        ledger.update(next)
        guard outcome == .end else {
            try file.write(next)
            return (next, outcome)
        }
        try file.remove(next)
        let position = position(of: current.destination)
        ledger.finishCarryingOver(at: position)
        if ledger.accounts[position].heldBelow == .zero {
            ledger.setHead(try file.table(current.destination).first(), at: position)
        }
        return (next, .end)
    }

    private enum Opened {
        case open(CarrySource)
        case later
        /// The file, or the table, is not to be had.
        case gone
    }

    private func openSource(_ carryOver: CarryOver) -> Opened {
        if let source = carrying.source, source.isOf(carryOver) { return .open(source) }
        do throws(QueueError) {
            let open = carrying.source?.file
            carrying.source = nil
            let file =
                if let open, open.source == carryOver.source {
                    open
                } else {
                    try CarrySource.File(carryOver.source, in: folder(of: settings.path), vfs: settings.vfs)
                }
            let source = try CarrySource(carryOver, in: file)
            carrying.source = source
            carrying.progress.failedOpenings = 0
            return .open(source)
        } catch {
            switch error {
            case .full: return .later
            case .storage, .unreadable:
                guard FileIdentity(asidePath(carryOver)) != nil else { return .gone }
                carrying.progress.failedOpenings += 1
                return carrying.progress.failedOpenings < Self.mostOpenings ? .later : .gone
            default: return .gone
            }
        }
    }

    private func asidePath(_ carryOver: CarryOver) -> String { "\(folder(of: settings.path))/\(carryOver.source)" }

    // MARK: Work that has to wait for the rows

    /// Keeps back what deletes rows that are not in the file yet. A settlement may be cut in two: its lower ids, by which
    /// delivery knows it, are those that wait, so that its keys come free when all of it is done.
    func holdBack(_ work: inout Work) {
        guard !ledger.carryOvers.isEmpty, !work.settlements.isEmpty || !work.letters.isEmpty else { return }
        var settlements: [Settlement] = []
        for settlement in work.settlements {
            let below = heldBelow(settlement.destination)
            let held = settlement.ids.filter { $0 < below }
            if held.isEmpty {
                settlements.append(settlement)
                continue
            }
            carrying.heldBack.settlements.append(Settlement(destination: settlement.destination, ids: held))
            let rest = settlement.ids.filter { $0 >= below }
            if !rest.isEmpty { settlements.append(Settlement(destination: settlement.destination, ids: rest)) }
        }
        work.settlements = settlements
        carrying.heldBack.letters += work.letters.filter { $0.id < heldBelow($0.destination) }
        work.letters.removeAll { $0.id < heldBelow($0.destination) }
    }

    private func releaseHeldBack() {
        var work = Work()
        swap(&work, &carrying.heldBack)
        machine.owe(work)
        // Those that still have to wait are held back again.
        payDebts()
    }

    private func heldBelow(_ id: DestinationID) -> EventID {
        ledger.position(of: id).map { ledger.accounts[$0].heldBelow } ?? .zero
    }

    // MARK: Telling

    /// At the start of it, and then once a second.
    private func noticeCarrying(_ current: CarryOver) {
        let now = clocks.uptimeNS()
        if carrying.progress.source != current.source { carrying.progress = CarryProgress(source: current.source) }
        guard carrying.progress.toldAt.map({ now - $0 >= 1_000_000_000 }) ?? true else { return }
        carrying.progress.toldAt = now
        let left = ledger.carryOvers.reduce(0) { $0 + $1.left.count }
        observer?.noticed(
            .carryingOver(aside: asidePath(current), left: left)
        )
    }

    private func noticeCarried(_ done: CarryOver) {
        carrying.progress.lost += done.left.count
        carrying.progress.carried += done.carried.count
        guard ledger.carryOvers.isEmpty else { return }
        observer?.noticed(
            .carriedOver(
                aside: asidePath(done),
                carried: carrying.progress.carried,
                lost: carrying.progress.lost
            )
        )
        carrying.progress = CarryProgress()
    }
}

/// Rows that come from a damaged file.
struct Carrying {
    var source: CarrySource?
    /// How far the slice at hand has come, and whether there is more.
    var slice: (after: CarryOver, outcome: CarrySource.Outcome)?
    var isPlanned = false
    /// What deletes rows that are still to be carried over.
    var heldBack = Work()
    var progress = CarryProgress()
}

/// What has been told of carrying over.
struct CarryProgress {
    var source = ""
    /// In nanoseconds since boot.
    var toldAt: Int64?
    var carried: Int64 = 0
    var lost: Int64 = 0
    /// In a row, of the file at hand.
    var failedOpenings = 0
}

extension SQLiteStatement {
    /// Inserts a row of ``CarrySource/columns``, or of ``CarrySource/letterColumns``, under the statement `rows`.
    fileprivate borrowing func take(_ row: Row, _ rows: borrowing SQLiteStatement, _ kind: CarryOver.Rows)
        throws(QueueError)
    {
        try bind(1, rows.integer(0))
        try bind(2, inPlace: row.key)
        try bind(3, inPlace: row.hashKey)
        try bind(4, rows.integer(3))
        try bind(5, rows.integer(4))
        try bind(6, inPlace: row.data)
        if kind == .letters {
            try bind(7, rows.integer(6))
            try bind(8, rows.text(7))
            try bind(9, rows.text(8))
        }
        try run()
    }
}
