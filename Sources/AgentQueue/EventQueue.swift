// SPDX-License-Identifier: Apache-2.0
public import AgentCore
import Dispatch

// The durable queue: one SQLite file.
//
// Invariants
//   - An append is answered `stored` only after the transaction that holds it is committed with synchronous=FULL.
//   - Ids grow over all destinations in the order of the transactions, and within one in the order of the requests.
//     `agent.next_id` is written in the same transaction, so no id is used twice, whatever is deleted.
//   - Totals are written in the transaction that changes what they count. They are exact after a crash, and balance:
//     accepted = delivered + queued + dead_lettered + expired + evicted + lost.
//   - Events leave by settlement, dead letter, expiry or eviction. Each counts the rows that it really deleted, so
//     whichever commits first owns the event.
//
// Layout (Schema.swift)
//   Each destination has a table of its own with the event's id as rowid and no index: appends touch the right edge of
//   a tree, settlements mostly its left edge, and the oldest event is the first row.
//
// Operations
//   append      Mailbox -> Writer: all requests that came while the last commit was syncing are one transaction.
//   settle      Rides along, or commits by itself without a sync; a commit with a sync follows within a second.
//   load        Reader: a short read transaction on a connection of its own.
//   upkeep      Between commits, on the writer's queue: WAL restart, expiry, pages given back.
//
// What a crash leaves behind
//   Before COMMIT: nothing of the transaction. After COMMIT and before the answer: events that their sender sends
//   again. After an unsynced settlement and a power cut: events that are delivered again, in their order.
//   In the middle of taking rows over from a damaged file: both files, and how far it came (Salvage.swift).
//   During a failed COMMIT: one or the other; the file is opened again and looked into before anybody is answered.
//   After a failed sync: a hole in the WAL that no later sync fills; so opening writes the WAL once more, and syncs it,
//   before anything is built on it (LogRewriting.swift).

/// The durable queue of one agent. All functions may be called from any thread.
public final class EventQueue: EventAppending {
    let reader: Reader
    let writer: Writer
    private let published: PublishedState
    private let registry: Registry
    private let found: [QueuedDestination]

    private init(writer: Writer, found: [QueuedDestination]) {
        self.writer = writer
        self.found = found
        reader = writer.reader
        published = writer.published
        registry = writer.registry
    }

    /// Opens the queue, or makes it. Takes as long for a full queue as for an empty one.
    ///
    /// Folders that are missing are made. A file of another application is left as it is, and refused. A damaged file of
    /// the agent's is moved aside, and what can be read of it is carried over while the queue is used: until then,
    /// loads of those destinations fail. One process at a time.
    public static func open(
        _ settings: QueueSettings,
        clocks: QueueClocks = .system,
        observer: (any QueueObserver)? = nil,
        metrics: QueueMetrics = QueueMetrics(MetricRegistry())
    ) throws(QueueError) -> EventQueue {
        var settings = settings
        settings.path = try QueuePlace.resolve(settings.path)
        try QueuePlace.makeFolder(of: settings.path)
        try QueuePlace.checkKinds(settings.path)
        try Ownership.check(settings.path)
        let lock = try QueueLock(queuePath: settings.path)
        QueuePlace.closeToOthers(settings.path, observer)
        if let kind = riskyFileSystem(at: folder(of: settings.path)) {
            observer?.noticed(.riskyFileSystem(path: settings.path, kind: kind))
        }
        let opened = try OpenedFile(settings, clocks: clocks, observer: observer)
        let reader = Reader()
        try reader.open(settings)
        let writer = Writer(
            settings: settings,
            opened: opened,
            lock: lock,
            clocks: clocks,
            reader: reader,
            observer: observer,
            metrics: metrics
        )
        reader.onDamage { [weak writer] error, opening in writer?.readerMetDamage(error, opening: opening) }
        reader.onRead { [weak writer] id, error in writer?.readerRead(id, error) }
        writer.queue.async {
            writer.restoreReserve()
            writer.lookForRoom()
            writer.planCarryingOver()
            writer.planUpkeep()
        }
        return EventQueue(writer: writer, found: opened.ledger.destinations)
    }

    // MARK: Destinations

    /// The number of a destination, new or known. Does not touch the disk.
    public func destination(for destination: Destination) -> DestinationID { registry.id(of: destination) }

    /// The destinations that the file had when it was opened.
    public func destinations() -> [QueuedDestination] { found }

    /// Sets a destination's share of the queue, in bytes; 0: no limit of its own. A lowered limit evicts nothing.
    public func setLimit(_ maxBytes: Int64, of id: DestinationID) {
        registry.setLimit(maxBytes, of: id)
        let writer = writer
        writer.queue.async {
            if let position = writer.ledger.position(of: id) {
                writer.ledger.setLimit(maxBytes, at: position)
                writer.publish()
            }
        }
    }

    /// Remembers over restarts whether a destination is paused.
    public func setPaused(
        _ isPaused: Bool,
        _ id: DestinationID,
        reply: @escaping @Sendable (Result<Int, QueueError>) -> Void
    ) {
        carryOut(.setPaused(isPaused, id)) { result in reply(result.map(\.count)) }
    }

    /// Takes over what may change while the agent runs: all but the path.
    public func reconfigure(_ settings: QueueSettings) {
        let writer = writer
        writer.queue.async { writer.reconfigure(settings) }
    }

    // MARK: Events

    public func append(_ requests: [AppendRequest]) {
        guard !requests.isEmpty else { return }
        writer.add({ $0.requests += requests }) {
            writer.queue.async { [writer] in writer.refuse(requests, [], .stopping) }
        }
    }

    /// Deletes delivered events. Reported in a ``Commit``; if the disk fails meanwhile, after it works again.
    public func settle(_ settlements: [Settlement]) {
        guard !settlements.isEmpty else { return }
        writer.add({ $0.settlements += settlements }) {}
    }

    /// Moves events to the dead letters. Reported in a ``Commit``.
    public func deadLetter(_ letters: [DeadLetter]) {
        guard !letters.isEmpty else { return }
        writer.add({ $0.letters += letters }) {}
    }

    /// Reads events. `reply` is called on the reader's queue: do not block it.
    ///
    /// A scan that skips lanes looks at a bounded number of events: it may come back with no event at all and
    /// `through` further on.
    public func load(_ request: LoadRequest, reply: @escaping @Sendable (Result<LoadedEvents, QueueError>) -> Void) {
        let published = published
        reader.read(
            of: request.destination,
            { (file) throws(QueueError) in
                // Newer events would come before those that are still to come.
                guard !published.isHeld(request.destination) else {
                    throw .unavailable(reason: "its events are being carried over from a damaged file")
                }
                return try file.load(request)
            },
            reply: reply
        )
    }

    /// The oldest events of a destination, up to `limit`. `reply` is called on the reader's queue.
    public func peek(
        _ id: DestinationID,
        limit: Int,
        reply: @escaping @Sendable (Result<[StoredEvent], QueueError>) -> Void
    ) {
        let scan = LoadRequest.What.scan(after: .zero, skipping: LaneSet(), only: nil)
        load(LoadRequest(destination: id, what: scan, maxEvents: limit, maxBytes: 8 << 20)) { result in
            reply(result.map(\.events))
        }
    }

    // MARK: The whole

    /// Counts of one commit, the last one. They balance.
    public func snapshot() -> QueueSnapshot { published.snapshot(agentNow: writer.agentNow) }

    /// The sums of ``snapshot()``, which take as long for many destinations as for one.
    public var totals: QueueTotals { published.totals }

    /// The agent's own clock, in milliseconds: what events' ages are counted from.
    public var agentNowMS: Int64 { writer.agentNow }

    /// Refuses new work, commits what was brought before, makes all of it durable, and closes the file.
    ///
    /// Blocks for some commits; not to be called by the observer or a receiver.
    public func close() {
        writer.mailbox.close()
        let writer = writer
        dispatchPrecondition(condition: .notOnQueue(writer.queue))
        writer.queue.sync { writer.close() }
    }

    func carryOut(_ action: Order.Action, reply: @escaping @Sendable (Result<Order.Outcome, QueueError>) -> Void) {
        writer.add({ $0.orders.append(Order(action: action, reply: reply)) }) {
            writer.queue.async { reply(.failure(.unavailable(reason: "the agent is stopping"))) }
        }
    }
}

extension Ledger {
    var destinations: [QueuedDestination] {
        accounts.map {
            QueuedDestination(
                id: $0.id,
                destination: $0.destination,
                isPaused: $0.isPaused,
                queuedEvents: $0.totals.queuedEvents,
                queuedBytes: $0.totals.queuedBytes,
                first: $0.head?.id ?? .zero,
                last: $0.last
            )
        }
    }
}
