// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Glibc

@testable import AgentQueue

/// A short life of a queue on a disk that fails, with the account of what was promised. Every event is known by its
/// payload.
final class FaultStory {
    enum Promise {
        /// Acknowledged.
        case stored
        /// Refused: it must never turn up.
        case refused
        /// Nobody knows: all of its request, or nothing.
        case unknown
    }

    private struct Request {
        let payloads: [[UInt8]]
        let promise: Promise
        let first: Int64?
    }

    let vfs: FaultVFS
    private let folder = TemporaryFolder()
    private let time = ManualTime()
    private var fixture: QueueFixture?
    private var ids: [DestinationID] = []
    private var requests: [Request] = []
    private var settled: Set<Int64> = []
    private var buried: Set<Int64> = []
    private var purged: Set<Int64> = []
    /// Asked for before a restart, and not reported until then: nobody remembers.
    private var forgotten: Set<Int64> = []
    private var marker: UInt16 = 0

    init(_ vfs: FaultVFS) { self.vfs = vfs }

    /// The same calls each time, but for what the faults change. Each kind of change comes up, and a checkpoint, free
    /// pages given back, and a restart.
    func tell() throws {
        try open()
        append([0, 1, 0])
        append([1, 1], bytes: 5000)
        settle(at: [0])
        settle(at: [3])
        bury(at: [1, 4])
        append([0, 0, 0], bytes: 3000)
        order { queue, reply in queue.requeue(.these([self.id(at: 1)])) { reply($0.map(\.events)) } }
        read()
        upkeep()
        settle(at: [5])
        append([1])
        upkeep()
        upkeep()
        try open()
        settle(at: [6])
        order { $0.purge([self.id(at: 4)], reply: $1) }
        purged.insert(id(at: 4).rawValue)
        append([0, 1])
        upkeep()
    }

    // MARK: Steps

    /// Closes it, if it is open, and opens it; a fault that stops it is waited for to go.
    private func open() throws {
        fixture?.queue.close()
        let done = fixture?.recorder.commits ?? []
        forgotten.formUnion(settled.subtracting(done.flatMap(\.settled).flatMap(\.ids).map(\.rawValue)))
        // What was not synced goes with the cache, and the process that knew of it is gone too.
        if vfs.forgets, vfs.hits > 0 { forgotten.formUnion(settled) }
        forgotten.formUnion(buried.subtracting(done.flatMap(\.deadLettered).map(\.id.rawValue)))
        var tries = 0
        while true {
            do {
                if let fixture {
                    try fixture.reopen()
                } else {
                    fixture = try QueueFixture(folder: folder, time: time) { [vfs] in
                        $0.vfs = vfs.name
                        $0.walFrames = 8
                    }
                }
                break
            } catch {
                guard vfs.hits > 0 else { throw error }
                tries += 1
                if tries == 2 { vfs.lift() }
                guard tries < 4 else { throw error }
            }
        }
        ids = ["a", "b"].compactMap { fixture?.destination($0) }
    }

    private func append(_ destinations: [Int], bytes: Int = 20) {
        guard let fixture else { return }
        let events = destinations.map { index in
            marker += 1
            let data = [UInt8(marker >> 8), UInt8(marker & 0xff)] + [UInt8](repeating: 7, count: bytes)
            return NewEvent(destination: ids[index], key: EventKey(partitionKey: "k"), data: Payload(data))
        }
        let payloads = events.map(\.data.bytes)
        do {
            let first = try fixture.append(events).rawValue
            requests.append(Request(payloads: payloads, promise: .stored, first: first))
        } catch AppendRefusal.unknown {
            requests.append(Request(payloads: payloads, promise: .unknown, first: nil))
        } catch {
            requests.append(Request(payloads: payloads, promise: .refused, first: nil))
        }
    }

    private var acknowledged: [(id: Int64, payload: [UInt8])] {
        requests.flatMap { request in
            zip(0..., request.payloads).compactMap { offset, payload in request.first.map { ($0 + offset, payload) } }
        }
    }

    /// The id of the event at that place of those acknowledged; none of any event's where there are fewer.
    private func id(at place: Int) -> EventID {
        EventID(place < acknowledged.count ? acknowledged[place].id : 999)
    }

    private func destination(of id: EventID) -> DestinationID {
        let commits = fixture?.recorder.commits ?? []
        let known = commits.flatMap(\.appended).first { $0.events.contains { $0.id == id } }
        return known?.destination ?? ids[0]
    }

    private func settle(at places: [Int]) {
        for id in places.map(id(at:)) where !buried.contains(id.rawValue) {
            settled.insert(id.rawValue)
            fixture?.settle([id.rawValue], of: destination(of: id))
        }
    }

    private func bury(at places: [Int]) {
        for id in places.map(id(at:)) where !settled.contains(id.rawValue) {
            buried.insert(id.rawValue)
            fixture?.bury([id.rawValue], of: destination(of: id))
        }
    }

    /// An order may be refused, and is then not repeated.
    private func order(_ body: (EventQueue, @escaping @Sendable (Result<Int, QueueError>) -> Void) -> Void) {
        guard let fixture else { return }
        _ = try? fixture.wait { body(fixture.queue, $0) }
    }

    private func read() { for id in ids { _ = try? fixture?.scan(id) } }

    private func upkeep() {
        fixture?.upkeep()
        fixture?.drain()
    }

    // MARK: The account

    /// The disk works again: what was promised must be there, and it must still be there after a power cut.
    func settleAccounts() throws {
        vfs.lift()
        guard let fixture else { throw Wrong("never opened") }
        let writer = fixture.queue.writer
        writer.queue.sync { writer.retry() }
        for _ in 0..<3 { upkeep() }
        let found = try fixture.contents(of: ids)
        try check(found)
        for case .damaged(_, let message, _, _) in fixture.recorder.notices {
            throw Wrong("called damaged: \(message)")
        }
        let reported = fixture.recorder.commits.flatMap(\.appended).flatMap(\.events).map(\.id.rawValue)
        guard Set(reported).count == reported.count else { throw Wrong("reported twice: \(reported)") }
        guard Set(acknowledged.map(\.id)).isSubset(of: reported) else { throw Wrong("not reported: \(reported)") }
        let settlements = fixture.recorder.commits.flatMap(\.settled).flatMap(\.ids).map(\.rawValue)
        guard settled.subtracting(forgotten).isSubset(of: settlements) else {
            throw Wrong("settlements not reported: \(settlements)")
        }
        for seed in 0..<2 as Range<UInt64> { try checkAfterPowerCut(seed, found) }
        try append(after: found)
        vfs.retire()
    }

    private func check(_ found: QueueModel) throws {
        let queued = found.queued.values.flatMap(\.self)
        let all = queued + found.dead.map(\.event)
        let payloads = all.map(\.data)
        for (id, payload) in acknowledged {
            let count = payloads.filter { $0 == payload }.count
            let isGone = settled.contains(id) && !forgotten.contains(id)
            guard count == (isGone ? 0 : 1) || count == 0 && purged.union(settled).contains(id) else {
                throw Wrong("event \(id) is there \(count) times, settled: \(isGone)")
            }
            let isDead = found.dead.contains { $0.event.data == payload }
            guard !isDead || buried.contains(id) else { throw Wrong("event \(id) is dead") }
            let isAtItsPlace = queued.contains { $0.id == id && $0.data == payload }
            guard isAtItsPlace || count == 0 || buried.contains(id) else { throw Wrong("event \(id) has another id") }
        }
        for request in requests {
            let there = request.payloads.filter { payloads.contains($0) }.count
            switch request.promise {
            case .stored: break
            case .refused: guard there == 0 else { throw Wrong("refused, and there: \(request.payloads.map(\.count))") }
            case .unknown:
                guard there == 0 || there == request.payloads.count else { throw Wrong("half of a request is there") }
            }
        }
        let known = Set(requests.flatMap(\.payloads))
        guard payloads.allSatisfy(known.contains), Set(payloads).count == payloads.count else {
            throw Wrong("events that nobody appended, or twice")
        }
        guard Set(all.map(\.id)).count == all.count else { throw Wrong("an id was used twice") }
        let highest = (all.map(\.id) + acknowledged.map(\.id)).max() ?? 0
        guard found.nextID > highest else { throw Wrong("the next id is \(found.nextID)") }
        let totals = found.counts.values.reduce(into: QueueTotals()) { $0 += $1 }
        guard totals.lost == 0, totals.delivered <= settled.count else { throw Wrong("\(totals)") }
    }

    private func checkAfterPowerCut(_ seed: UInt64, _ expected: QueueModel) throws {
        let folder = TemporaryFolder()
        for (name, bytes) in vfs.survivors(seed: seed) { try writeFile("\(folder.path)/\(name)", bytes) }
        try writeLock(folder)
        let next = FaultVFS()
        let fixture = try QueueFixture(folder: folder, time: time) { $0.vfs = next.name }
        if let aside = folder.names().first(where: { $0.contains("damaged") }) { throw Wrong("moved to \(aside)") }
        if let difference = try fixture.contents(of: ids).difference(from: expected) {
            throw Wrong("after a power cut: \(difference)")
        }
        next.retire()
    }

    private func append(after found: QueueModel) throws {
        let first = try fixture?.append(fixture?.events(1, to: ids[0]) ?? [])
        guard first?.rawValue == found.nextID else { throw Wrong("stored as \(String(describing: first))") }
    }
}
