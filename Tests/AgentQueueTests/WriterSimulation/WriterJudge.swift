// SPDX-License-Identifier: Apache-2.0
import AgentCore

@testable import AgentQueue

/// Keeps account of what was promised, and says which promise was broken.
// SAFETY: a run has one thread.
final class WriterJudge: AppendReceiver, @unchecked Sendable {
    enum Promise {
        case asked
        case stored
        case refused
        case unknown
    }

    struct Request {
        let markers: Range<Int>
        var promise = Promise.asked
    }

    private(set) var broken: String?
    private(set) var requests: [UInt64: Request] = [:]
    /// Whose event an id is.
    private var owners: [Int64: Int] = [:]
    private(set) var reported: Set<Int64> = []
    private(set) var asked: Set<Int64> = []
    /// By processes that are gone.
    private var askedBefore: Set<Int64> = []
    private(set) var settled: Set<Int64> = []
    private(set) var buried: Set<Int64> = []
    /// Reported as gone before a sync that succeeded after it: for good.
    private var gone: Set<Int64> = []
    private var openOrders = 0
    private var lastRefusals: [UInt64: AppendRefusal] = [:]
    private var nextMarker = 0

    func breaks(_ law: String) { if broken == nil { broken = law } }

    // MARK: What is asked

    func ask(_ token: UInt64, events: Int) -> Range<Int> {
        let markers = nextMarker..<nextMarker + events
        nextMarker += events
        requests[token] = Request(markers: markers)
        return markers
    }

    func askRemoval(_ id: Int64) { asked.insert(id) }

    func order() -> Order {
        openOrders += 1
        return Order(action: .setPaused(true, DestinationID(1))) { [self] _ in openOrders -= 1 }
    }

    // MARK: What is heard

    func appended(_ answers: [AppendAnswer]) {
        for answer in answers {
            guard var request = requests[answer.token] else { return breaks("an answer to nobody") }
            if case .asked = request.promise {} else { breaks("request \(answer.token) is answered twice") }
            switch answer.outcome {
            case .stored(let first), .repeated(let first):
                request.promise = .stored
                for (offset, marker) in request.markers.enumerated() { own(first.rawValue + Int64(offset), marker) }
            case .refused(let refusal):
                if case .unknown = refusal { request.promise = .unknown } else { request.promise = .refused }
                lastRefusals[answer.token] = refusal
            }
            requests[answer.token] = request
        }
    }

    func delivered(_ notices: [DeliveryNotice]) {}

    func refusal(of token: UInt64) -> AppendRefusal? { lastRefusals[token] }

    private func own(_ id: Int64, _ marker: Int) {
        if let other = owners[id], other != marker { breaks("id \(id) is given twice") }
        owners[id] = marker
    }

    func committed(_ commit: Commit, _ contents: ModelContents) {
        for id in commit.appended.flatMap(\.events).map(\.id.rawValue) {
            if !reported.insert(id).inserted { breaks("event \(id) is reported twice") }
            if let marker = contents.rows[id] { own(id, marker) }
        }
        for id in commit.settled.flatMap(\.ids).map(\.rawValue) {
            if contents.rows[id] != nil { breaks("event \(id) is settled, and there") }
            settled.insert(id)
        }
        for id in commit.deadLettered.map(\.id.rawValue) { buried.insert(id) }
    }

    /// All that was done until now is on the disk.
    func synced() { gone = settled.union(buried) }

    // MARK: The laws

    /// Whoever asked has been answered.
    func checkAnswers() {
        for (token, request) in requests {
            if case .asked = request.promise { breaks("request \(token) is not answered") }
        }
        if openOrders != 0 { breaks("\(openOrders) orders are not answered") }
    }

    /// What was promised is there, and what was refused is not.
    func check(_ contents: ModelContents, after event: String) {
        var there: Set<Int> = []
        for (id, marker) in contents.rows {
            if !there.insert(marker).inserted { breaks("\(event): event \(marker) is there twice") }
            if gone.contains(id) { breaks("\(event): event \(id) came back") }
        }
        let removed = Set(owners.lazy.filter { self.isRemovable($0.key) }.map(\.value))
        var promised: Set<Int> = []
        for (token, request) in requests {
            let count = request.markers.count { there.contains($0) }
            switch request.promise {
            case .asked: break
            case .stored: promised.formUnion(request.markers)
            case .refused: if count > 0 { breaks("\(event): request \(token) was refused and is stored") }
            case .unknown:
                if count > 0, !request.markers.allSatisfy({ there.contains($0) || removed.contains($0) }) {
                    breaks("\(event): half of request \(token) is stored")
                }
            }
        }
        for (id, marker) in owners {
            if id >= contents.nextID { breaks("\(event): id \(id) will be given again") }
            guard promised.contains(marker), !isRemovable(id) else { continue }
            if contents.rows[id] != marker { breaks("\(event): event \(id) is lost") }
        }
    }

    private func isRemovable(_ id: Int64) -> Bool { asked.contains(id) || askedBefore.contains(id) }

    /// All that was asked for is done and reported.
    func checkRemovals(_ contents: ModelContents) {
        for id in asked {
            if contents.rows[id] != nil { breaks("event \(id) is never removed") }
            if !settled.contains(id), !buried.contains(id) { breaks("the end of event \(id) is never reported") }
        }
    }

    /// A new process reads everything again; what it knew of is as the file has it.
    func restarted(_ contents: ModelContents) {
        for (token, request) in requests {
            if case .asked = request.promise { requests[token]?.promise = .unknown }
        }
        openOrders = 0
        reported = Set(contents.rows.keys)
        // Who asked is gone: delivery sends those again that are there, and asks again.
        askedBefore.formUnion(asked)
        asked = []
        settled.subtract(contents.rows.keys)
        buried.subtract(contents.rows.keys)
        for (id, marker) in contents.rows { own(id, marker) }
    }
}
