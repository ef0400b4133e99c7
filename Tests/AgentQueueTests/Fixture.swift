// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Dispatch
import Glibc
import Synchronization

@testable import AgentQueue

/// A folder that goes with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/agentd-queue-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { remove() }

    private func remove() {
        guard let folder = opendir(path) else { return }
        defer {
            closedir(folder)
            rmdir(path)
        }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink("\(path)/\(name)") }
        }
    }

    func names() -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// Time that stands still until it is moved.
final class ManualTime: Sendable {
    struct State {
        var wallMS: Int64 = 1_800_000_000_000
        var uptimeNS: Int64 = 1_000_000_000
        var isTrusted = true
        var boot = "boot-1"
    }

    let state = Mutex(State())

    var clocks: QueueClocks {
        QueueClocks(
            wallMS: { self.state.withLock { $0.wallMS } },
            uptimeNS: { self.state.withLock { $0.uptimeNS } },
            isWallTrusted: { self.state.withLock { $0.isTrusted } },
            boot: state.withLock { $0.boot }
        )
    }

    func advance(_ duration: Duration) {
        state.withLock {
            $0.wallMS += duration.wholeMilliseconds
            $0.uptimeNS += duration.wholeNanoseconds
        }
    }
}

/// Hears everything that the queue says.
final class Recorder: AppendReceiver, QueueObserver {
    struct State {
        var answers: [UInt64: AppendAnswer.Outcome] = [:]
        var calls: [[UInt64]] = []
        var commits: [Commit] = []
        var notices: [QueueNotice] = []
        var deliveries: [DeliveryNotice] = []
    }

    let state = Mutex(State())
    /// Signalled when a limit removed events.
    let removal = DispatchSemaphore(value: 0)

    func appended(_ answers: [AppendAnswer]) {
        state.withLock { state in
            state.calls.append(answers.map(\.token))
            for answer in answers {
                precondition(state.answers[answer.token] == nil, "answered twice")
                state.answers[answer.token] = answer.outcome
            }
        }
    }

    func delivered(_ notices: [DeliveryNotice]) { state.withLock { $0.deliveries += notices } }
    func committed(_ commit: Commit) {
        state.withLock { $0.commits.append(commit) }
        if !commit.removed.isEmpty { removal.signal() }
    }

    func noticed(_ notice: QueueNotice) { state.withLock { $0.notices.append(notice) } }

    var commits: [Commit] { state.withLock { $0.commits } }
    var deliveries: [DeliveryNotice] { state.withLock { $0.deliveries } }
    var notices: [QueueNotice] { state.withLock { $0.notices } }
    func answer(_ token: UInt64) -> AppendAnswer.Outcome? { state.withLock { $0.answers[token] } }
}

/// A queue in a folder of its own, with calls that wait.
final class QueueFixture {
    let folder: TemporaryFolder
    let time: ManualTime
    let recorder = Recorder()
    let metrics = MetricRegistry()
    private(set) var queue: EventQueue
    private var nextToken: UInt64 = 1
    var settings: QueueSettings

    static func settings(in folder: TemporaryFolder) -> QueueSettings {
        var settings = QueueSettings(path: "\(folder.path)/queue.db")
        settings.minFreeDisk = 0
        settings.reserveBytes = 0
        // Tests call it.
        settings.upkeepDelay = .seconds(3600)
        return settings
    }

    init(
        folder: TemporaryFolder = TemporaryFolder(),
        time: ManualTime = ManualTime(),
        _ adjust: (inout QueueSettings) -> Void = { _ in }
    ) throws {
        self.folder = folder
        self.time = time
        settings = Self.settings(in: folder)
        adjust(&settings)
        queue = try EventQueue.open(
            settings,
            clocks: time.clocks,
            observer: recorder,
            metrics: QueueMetrics(metrics)
        )
    }

    deinit { queue.close() }

    func reopen() throws {
        queue.close()
        queue = try EventQueue.open(settings, clocks: time.clocks, observer: recorder)
    }

    /// What a power cut would leave: the files as they are now, opened under another name.
    func crashed(_ adjust: (inout QueueSettings) -> Void = { _ in }) throws -> QueueFixture {
        let copy = TemporaryFolder()
        for name in ["queue.db", "queue.db-wal"] { try copyFile("\(folder.path)/\(name)", "\(copy.path)/\(name)") }
        return try QueueFixture(folder: copy, time: time, adjust)
    }

    func destination(_ stream: String = "clicks") -> DestinationID {
        queue.destination(for: Destination(region: "us-east-1", stream: stream))
    }

    func drain() {
        let writer = queue.writer
        writer.queue.sync { writer.drainAll() }
    }

    func carryAllOver() {
        let writer = queue.writer
        func isDone() -> Bool {
            writer.carryOver()
            return writer.machine.isClosed || writer.ledger.carryOvers.isEmpty
        }
        while !writer.queue.sync(execute: isDone) {}
    }

    func upkeep() {
        let writer = queue.writer
        writer.queue.sync { _ = writer.upkeep() }
    }

    func request(
        _ events: [NewEvent],
        awaitsDelivery: Bool = false,
        identity: RequestIdentity? = nil
    ) -> AppendRequest {
        defer { nextToken += 1 }
        return AppendRequest(
            events: events,
            awaitsDelivery: awaitsDelivery,
            identity: identity,
            token: nextToken,
            receiver: recorder
        )
    }

    func events(_ count: Int, to id: DestinationID, key: String = "k", bytes: Int = 10) -> [NewEvent] {
        (0..<count).map { index in
            let data = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes)
            return NewEvent(destination: id, key: EventKey(partitionKey: key), data: Payload(data))
        }
    }

    /// Appends and waits for the answer.
    @discardableResult
    func append(_ events: [NewEvent]) throws -> EventID {
        let request = request(events)
        queue.append([request])
        drain()
        switch recorder.answer(request.token) {
        case .stored(let first), .repeated(let first): return first
        case .refused(let refusal): throw refusal
        case nil: throw Unanswered()
        }
    }

    func refusal(_ events: [NewEvent]) -> AppendRefusal? {
        do {
            try append(events)
            return nil
        } catch {
            return error as? AppendRefusal
        }
    }

    func settle(_ ids: [Int64], of id: DestinationID) {
        queue.settle([Settlement(destination: id, ids: ids.map { EventID($0) })])
        drain()
    }

    func bury(_ ids: [Int64], of id: DestinationID) {
        queue.deadLetter(
            ids.map { DeadLetter(destination: id, id: EventID($0), code: "record_rejected", reason: "because") }
        )
        drain()
    }

    func scan(
        _ id: DestinationID,
        after: Int64 = 0,
        skipping: LaneSet = LaneSet(),
        only: LaneSet? = nil,
        maxEvents: Int = .max,
        maxBytes: Int = .max
    ) throws -> LoadedEvents {
        try load(
            LoadRequest(
                destination: id,
                what: .scan(after: EventID(after), skipping: skipping, only: only),
                maxEvents: maxEvents,
                maxBytes: maxBytes
            )
        )
    }

    /// Waits for what is carried over from a damaged file.
    func load(_ request: LoadRequest) throws -> LoadedEvents {
        if settings.carriesOver { carryAllOver() }
        return try wait { queue.load(request, reply: $0) }
    }

    func ids(_ id: DestinationID) throws -> [Int64] { try scan(id).events.map(\.id.rawValue) }

    func deadLetters(after: Int64 = 0, limit: Int = 1000) throws -> [StoredDeadLetter] {
        try wait { queue.deadLetters(after: EventID(after), limit: limit, reply: $0) }
    }

    func requeue(_ ids: [Int64]) throws -> Int { try requeued(.these(ids.map { EventID($0) })).events }
    func requeued(_ letters: DeadLetterSelection) throws -> Requeued { try wait { queue.requeue(letters, reply: $0) } }
    func purge(_ ids: [Int64]) throws -> Int { try wait { queue.purge(ids.map { EventID($0) }, reply: $0) } }

    func setPaused(_ isPaused: Bool, _ id: DestinationID) throws {
        _ = try wait { queue.setPaused(isPaused, id, reply: $0) }
    }

    /// Whether a commit was left to the operating system to write.
    var hasUnsynced: Bool {
        let writer = queue.writer
        return writer.queue.sync { writer.machine.hasUnsynced }
    }

    var totals: QueueTotals { queue.snapshot().totals }

    func wait<R: Sendable>(_ start: (@escaping @Sendable (Result<R, QueueError>) -> Void) -> Void) throws -> R {
        let answer = Mutex<Result<R, QueueError>?>(nil)
        let box = Box(answer)
        let semaphore = DispatchSemaphore(value: 0)
        start { result in
            box.value.withLock { $0 = result }
            semaphore.signal()
        }
        semaphore.wait()
        guard let result = box.value.withLock({ $0 }) else { throw Unanswered() }
        return try result.get()
    }
}

private final class Box<R: Sendable>: Sendable {
    let value: Mutex<Result<R, QueueError>?>
    init(_ value: consuming Mutex<Result<R, QueueError>?>) { self.value = value }
}

struct Unanswered: Error {}

func copyFile(_ from: String, _ to: String) throws {
    let bytes = try fileBytes(from)
    try writeFile(to, bytes)
}

/// Of a queue in that folder, as a running agent leaves it.
func writeLock(_ folder: TemporaryFolder) throws {
    try writeFile("\(folder.path)/queue.db.lock", Array(QueueLock.mark.utf8))
}

func fileBytes(_ path: String) throws -> [UInt8] {
    guard let identity = FileIdentity(path), let bytes = readHead(of: path, count: Int(identity.size)) else {
        throw QueueError.system(operation: "read", path: path, errno: errno)
    }
    return bytes
}

func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
        throw QueueError.system(operation: "write", path: path, errno: errno)
    }
}
