// SPDX-License-Identifier: Apache-2.0
import AgentCore

@testable import AgentQueue

/// One thing that is asked of the queue.
enum Step {
    /// One group: one transaction.
    case work(settling: [Settlement] = [], burying: [DeadLetter] = [], appending: [[NewEvent]] = [])
    case requeue([Int64])
    case purge([Int64])
    /// Time goes by, and there is upkeep.
    case pass(milliseconds: Int64)
    case read(LoadRequest)
    case reopen
    /// The process is killed.
    case crash

    /// Any step that makes sense where the queue holds what `model` says.
    static func random(_ model: QueueModel, _ ids: [DestinationID], _ random: inout SeededGenerator) -> Step {
        let id = ids.randomElement(using: &random) ?? ids[0]
        func chance(_ odds: Int) -> Bool { Int.random(in: 0..<odds, using: &random) == 0 }
        func some(_ odds: Int) -> [Int64] { (model.queued[id] ?? []).map(\.id).filter { _ in chance(odds) } }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: return .work(appending: requests(ids, &random))
        case 35..<50: return .work(settling: [settlement(some(chance(3) ? 1 : 2), of: id, model)])
        case 50..<57: return .work(burying: letters(some(5), of: id))
        case 57..<70:
            let settled = some(3)
            let buried = some(8).filter { !settled.contains($0) || chance(4) }
            return .work(
                settling: [settlement(settled, of: id, model)],
                burying: letters(buried, of: id),
                appending: requests(ids, &random)
            )
        case 70..<74: return .requeue(model.dead.map(\.event.id).filter { _ in chance(2) } + (chance(3) ? [7] : []))
        case 74..<76: return .purge(model.dead.map(\.event.id).filter { _ in chance(4) })
        case 76..<83: return .pass(milliseconds: chance(2) ? 0 : Int64.random(in: 0...20_000, using: &random))
        case 83..<94: return .read(load(id, model, &random))
        case 94..<97: return .reopen
        default: return .crash
        }
    }

    private static func requests(_ ids: [DestinationID], _ random: inout SeededGenerator) -> [[NewEvent]] {
        (0..<Int.random(in: 1...4, using: &random)).map { _ in
            (0..<Int.random(in: 1...8, using: &random)).map { _ in
                // Now and then one that takes pages of its own.
                let most = Int.random(in: 0..<20, using: &random) == 0 ? 9000 : 300
                let bytes = Int.random(in: 0...most, using: &random)
                return NewEvent(
                    destination: ids.randomElement(using: &random) ?? ids[0],
                    key: key(&random),
                    data: Payload((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
                )
            }
        }
    }

    private static func key(_ random: inout SeededGenerator) -> EventKey {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: .none
        case 1: EventKey(partitionKey: "", explicitHashKey: "\(UInt64.random(in: 0...(.max), using: &random))")
        case 2: EventKey(partitionKey: "k1", explicitHashKey: "\(UInt128.max)")
        case 3: EventKey(partitionKey: String(repeating: "é", count: Int.random(in: 1...256, using: &random)))
        default: EventKey(partitionKey: "k\(Int.random(in: 0..<6, using: &random))")
        }
    }

    private static func settlement(_ ids: [Int64], of id: DestinationID, _ model: QueueModel) -> Settlement {
        // One that is not there must change nothing.
        Settlement(destination: id, ids: (ids + [model.nextID + 500]).map { EventID($0) })
    }

    private static func letters(_ ids: [Int64], of id: DestinationID) -> [DeadLetter] {
        ids.map { DeadLetter(destination: id, id: EventID($0), code: "record_rejected", reason: "event \($0)") }
    }

    private static func load(_ id: DestinationID, _ model: QueueModel, _ random: inout SeededGenerator) -> LoadRequest {
        let held = model.queued[id] ?? []
        var chosen = LaneSet()
        for event in held where Bool.random(using: &random) && !event.key.isNone { chosen.insert(event.key.lane) }
        let after = EventID(Int64.random(in: 0...model.nextID, using: &random) / 2)
        let what: LoadRequest.What =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .scan(after: after, skipping: LaneSet(), only: nil)
            case 1: .scan(after: after, skipping: chosen, only: nil)
            case 2: .scan(after: after, skipping: LaneSet(), only: chosen)
            default:
                .events(
                    (held.map(\.id).filter { _ in Bool.random(using: &random) } + [model.nextID + 3])
                        .map { EventID($0) }
                )
            }
        return LoadRequest(
            destination: id,
            what: what,
            maxEvents: Int.random(in: 1...40, using: &random),
            maxBytes: Int.random(in: 1...9000, using: &random)
        )
    }
}

extension Step: CustomStringConvertible {
    var description: String {
        switch self {
        case .work(let settlements, let letters, let requests):
            let settled = settlements.map { "settle \($0.ids.map(\.rawValue)) of \($0.destination)" }
            let buried = letters.map { "bury \($0.id) of \($0.destination)" }
            let appended = requests.map { request in
                "append " + request.map { "\($0.data.count) B to \($0.destination)" }.joined(separator: ", ")
            }
            return (settled + buried + appended).joined(separator: "; ")
        case .requeue(let ids): return "requeue \(ids)"
        case .purge(let ids): return "purge \(ids)"
        case .pass(let milliseconds): return "\(milliseconds) ms pass"
        case .read(let request): return "read \(request.what) of \(request.destination)"
        case .reopen: return "reopen"
        case .crash: return "crash"
        }
    }
}

extension QueueModel {
    /// What is wrong with an answer to a load; `nil`: nothing.
    func fault(of loaded: LoadedEvents, to request: LoadRequest) -> String? {
        let held = queued[request.destination] ?? []
        let found = loaded.events.map(Event.init)
        let wanted: [Event]
        switch request.what {
        case .events(let ids): wanted = held.filter { ids.contains(EventID($0.id)) }
        case .scan(let after, let skipping, let only):
            wanted = held.filter { event in
                guard event.id > after.rawValue else { return false }
                guard !event.key.isNone else { return only == nil }
                return !skipping.contains(event.key.lane) && only?.contains(event.key.lane) ?? true
            }
            guard found == wanted.filter({ $0.id <= loaded.through.rawValue }) else {
                return "through \(loaded.through) not all is there"
            }
            if found.count == wanted.count, loaded.through.rawValue != nextID - 1 {
                return "through \(loaded.through) at the end"
            }
        }
        guard Array(wanted.prefix(found.count)) == found else { return "not the first of those asked for" }
        let bytes = found.map { $0.data.count + $0.key.storedBytes }
        if found.count > 1, found.count > request.maxEvents || bytes.reduce(0, +) > request.maxBytes {
            return "more than asked for"
        }
        if found.count < wanted.count {
            let next = wanted[found.count]
            let size = bytes.reduce(0, +) + next.data.count + next.key.storedBytes
            if found.isEmpty || found.count < request.maxEvents && size <= request.maxBytes { return "too few" }
        }
        return nil
    }
}
