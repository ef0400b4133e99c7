// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue

/// Deletes dead letters for good, a page a step, so that no commit is long and appends get their turn between.
struct Purging: Sendable {
    /// Letters that are deleted together.
    private static let pageLetters = 200
    private static let pageBytes = 1 << 20

    let store: EventQueue
    /// Only those that were given up so long ago, in milliseconds of the agent's clock.
    let olderThanMS: Int64
    let isDryRun: Bool

    /// Those with these ids.
    func step(_ ids: [Int64]) async throws(ControlError) -> PurgeStep {
        var step = PurgeStep()
        var page = Page()
        for id in Set(ids).sorted() {
            guard let letter = try await store.asked({ store.deadLetter(EventID(id), reply: $0) }) else {
                step.missing += 1
                continue
            }
            take(letter, into: &page)
            if isFull(page) {
                try await finish(page, &step)
                page = Page()
            }
        }
        try await finish(page, &step)
        return step
    }

    /// Those with ids above `after` and up to `through`, as many as make a page; `id` is `nil`: of all destinations.
    func step(of id: DestinationID?, after: EventID, through: EventID) async throws(ControlError) -> PurgeStep {
        let found = try await store.asked {
            store.deadLetters(of: id, after: after, limit: Self.pageLetters, reply: $0)
        }
        var page = Page()
        var last: EventID?
        for letter in found where letter.event.id <= through {
            last = letter.event.id
            take(letter, into: &page)
            if isFull(page) { break }
        }
        var step = PurgeStep()
        try await finish(page, &step)
        // What is too young fills no page: only where nothing was looked at is the end.
        if let last { step.next = .init(after: last.rawValue, through: through.rawValue) }
        return step
    }

    private struct Page {
        var ids: [EventID] = []
        var bytes = 0
    }

    private func take(_ letter: StoredDeadLetter, into page: inout Page) {
        guard store.agentNowMS - letter.deadMS >= olderThanMS else { return }
        page.ids.append(letter.event.id)
        page.bytes += letter.event.data.count + letter.event.key.storedBytes
    }

    private func isFull(_ page: Page) -> Bool {
        page.ids.count == Self.pageLetters || page.bytes >= Self.pageBytes
    }

    private func finish(_ page: Page, _ step: inout PurgeStep) async throws(ControlError) {
        if page.ids.isEmpty { return }
        // Some may have been requeued since they were read.
        let deleted = isDryRun ? page.ids.count : try await store.asked { store.purge(page.ids, reply: $0) }
        step.events += deleted
        step.bytes += page.bytes
    }
}
