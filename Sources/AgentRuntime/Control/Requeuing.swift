// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

/// Puts dead letters back, a page a step, so that no commit is long and other work gets its turn between.
struct Requeuing: Sendable {
    /// Letters that are put back together.
    private static let pageLetters = 200
    private static let pageBytes = 1 << 20

    private struct Letter {
        let id: EventID
        let bytes: Int

        init(_ stored: StoredDeadLetter) {
            id = stored.event.id
            bytes = stored.event.data.count + stored.event.key.storedBytes
        }
    }

    let store: EventQueue

    /// Those with these ids.
    func step(_ ids: [Int64], dryRun: Bool) async throws(ControlError) -> RequeueStep {
        var step = RequeueStep()
        var page: [Letter] = []
        for id in Set(ids).sorted() {
            guard let letter = try await letter(EventID(id)) else {
                step.missing += 1
                continue
            }
            page.append(letter)
            if page.count == Self.pageLetters || page.reduce(0, { $0 + $1.bytes }) >= Self.pageBytes {
                try await finish(page, dryRun: dryRun, &step)
                page = []
            }
            if step.stoppedBecause != nil { return step }
        }
        try await finish(page, dryRun: dryRun, &step)
        return step
    }

    /// Those of a destination with ids above `after` and up to `through`, as many as make a page.
    func step(
        of id: DestinationID,
        after: EventID,
        through: EventID
    ) async throws(ControlError) -> RequeueStep {
        var step = RequeueStep()
        var page: [Letter] = []
        let found = try await store.asked {
            store.deadLetters(of: id, after: after, limit: Self.pageLetters, reply: $0)
        }
        for letter in found.lazy.map(Letter.init) where letter.id <= through {
            page.append(letter)
            if page.reduce(0, { $0 + $1.bytes }) >= Self.pageBytes { break }
        }
        guard let last = page.last else { return step }
        try await finish(page, dryRun: false, &step)
        // The page may have ended for its bytes, whoever cut it: only an empty one is the end.
        if step.stoppedBecause == nil {
            step.next = .init(after: last.id.rawValue, through: through.rawValue)
        }
        return step
    }

    /// Puts a page back, and finds out what became of it where that is not all of it.
    private func finish(_ page: [Letter], dryRun: Bool, _ step: inout RequeueStep) async throws(ControlError) {
        if page.isEmpty { return }
        var done = page
        if !dryRun {
            let result = await withCheckedContinuation { continuation in
                store.requeue(.these(page.map(\.id))) { continuation.resume(returning: $0) }
            }
            if (try? result.get().events) != page.count {
                var left: Set<EventID> = []
                for letter in page where try await self.letter(letter.id) != nil { left.insert(letter.id) }
                if !left.isEmpty {
                    switch result {
                    case .success(let done):
                        step.stoppedBecause =
                            done.reason ?? "The queue, or the stream's share of it, has no room for more."
                    case .failure(let error): step.stoppedBecause = "\(error)"
                    }
                }
                done = page.filter { !left.contains($0.id) }
            }
        }
        step.events += done.count
        step.bytes += done.reduce(0) { $0 + $1.bytes }
    }

    private func letter(_ id: EventID) async throws(ControlError) -> Letter? {
        try await store.asked { store.deadLetter(id, reply: $0) }.map(Letter.init)
    }
}
