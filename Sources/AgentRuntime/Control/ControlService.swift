// SPDX-License-Identifier: Apache-2.0
internal import AgentControl
internal import AgentCore
internal import AgentQueue
internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// Does what operators ask for through the control socket.
final class ControlService: ControlHandler {
    private let store: EventQueue
    private let delivery: DeliveryLoop
    private let catalog: StreamCatalog
    private let flusher: Flusher
    private let condition: AgentCondition
    private let answers = SendAnswers()
    private let assembling = DispatchQueue(label: "agentd.status")

    init(
        store: EventQueue,
        delivery: DeliveryLoop,
        catalog: StreamCatalog,
        flusher: Flusher,
        condition: AgentCondition
    ) {
        self.store = store
        self.delivery = delivery
        self.catalog = catalog
        self.flusher = flusher
        self.condition = condition
    }

    /// The machine's queue only copies what delivery knows: deliveries wait for it.
    func status(reply: @escaping ControlReply<StatusReport>) {
        delivery.status { [store, condition, assembling] statuses, now in
            let asked = (now, Date())
            assembling.async {
                let assembly = StatusAssembly(snapshot: store.snapshot(), delivery: statuses, asked: asked)
                var report = StatusReport()
                report.agent = condition.report(snapshot: assembly.snapshot)
                report.queue = assembly.queue
                report.totals = assembly.totals
                report.streams = assembly.streams
                reply(.success(report))
            }
        }
    }

    func peek(_ request: PeekRequest, reply: @escaping ControlReply<[EventReport]>) {
        guard let id = destination(request.stream, reply) else { return }
        let load = LoadRequest(
            destination: id,
            what: .scan(after: EventID(request.after), skipping: LaneSet(), only: nil),
            maxEvents: max(1, request.limit),
            maxBytes: max(1, request.maxBytes)
        )
        store.load(load) { [store] result in
            let now = store.agentNowMS
            reply(result.map { $0.events.map { Self.report($0, now: now) } }.mapError(Self.error))
        }
    }

    func send(_ request: SendRequest, reply: @escaping ControlReply<SendReport>) {
        let target: StreamTarget
        do throws(StreamRefusal) {
            target = try catalog.target(stream: request.stream.name, region: request.stream.region)
        } catch {
            return reply(.failure(ControlError(.noSuchStream, "\(error)")))
        }
        // The reader checked the key, and that no event is empty.
        for (number, event) in request.events.enumerated() where request.isJSON {
            do throws(JSONFault) {
                try event.withUnsafeBytes { (text) throws(JSONFault) in try JSON.validate(text) }
            } catch {
                return reply(.failure(ControlError(.refused, "Event \(number + 1) is not JSON: \(error).")))
            }
        }
        let key = EventKey(partitionKey: request.partitionKey)
        for (number, event) in request.events.enumerated()
        where event.count + max(1, key.bytes) > target.maxRecordBytes {
            let message =
                "Event \(number + 1) and its key are \(event.count + key.bytes) bytes; \(request.stream) takes "
                + "\(target.maxRecordBytes)."
            return reply(.failure(ControlError(.refused, message)))
        }
        let events = request.events.map { NewEvent(destination: target.id, key: key, data: $0) }
        store.append([answers.request(events, reply)])
    }

    func flush(_ request: FlushRequest, reply: @escaping ControlReply<FlushReport>) -> @Sendable () -> Void {
        flusher.flush(timeout: request.timeoutSeconds, reply: reply)
    }

    func pause(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        setPaused(true, stream, reply)
    }

    func resume(_ stream: StreamReference, reply: @escaping ControlReply<PauseReport>) {
        setPaused(false, stream, reply)
    }

    private func setPaused(_ paused: Bool, _ stream: StreamReference, _ reply: @escaping ControlReply<PauseReport>) {
        guard let id = destination(stream, reply) else { return }
        store.setPaused(paused, id) { [store, delivery] result in
            if case .failure(let error) = result { return reply(.failure(Self.error(error))) }
            delivery.call { machine, _ in
                if paused { machine.paused(id) } else { machine.resumed(id) }
            }
            let found = store.snapshot().streams.first { $0.id == id }
            reply(
                .success(
                    PauseReport(
                        name: stream.name,
                        region: found?.destination.region ?? stream.region ?? "",
                        paused: paused,
                        queuedEvents: Int(found?.totals.queuedEvents ?? 0)
                    )
                )
            )
        }
    }

    // MARK: Dead letters

    func deadLetters(_ query: DeadLetterQuery, reply: @escaping ControlReply<[DeadLetterReport]>) {
        var id: DestinationID?
        if let stream = query.stream {
            guard let found = destination(stream, reply) else { return }
            id = found
        }
        let names = names
        store.deadLetters(of: id, after: EventID(query.after), limit: query.limit) { [store] result in
            let now = store.agentNowMS
            var bytes = 0
            let reports = result.map { letters in
                letters.prefix { letter in
                    defer { bytes += letter.event.data.count }
                    return bytes < query.maxBytes
                }.map { Self.report($0, names: names, now: now) }
            }
            reply(reports.mapError(Self.error))
        }
    }

    func deadLetter(id: Int64, reply: @escaping ControlReply<DeadLetterReport>) {
        let names = names
        store.deadLetter(EventID(id)) { [store] result in
            switch result {
            case .success(let letter?): reply(.success(Self.report(letter, names: names, now: store.agentNowMS)))
            case .success(nil): reply(.failure(ControlError(.notFound, "There is no dead letter \(id).")))
            case .failure(let error): reply(.failure(Self.error(error)))
            }
        }
    }

    func requeue(_ request: RequeueRequest, reply: @escaping ControlReply<RequeueStep>) {
        let requeuing = Requeuing(store: store)
        switch request.which {
        case .ids(let ids):
            finish(reply) { () async throws(ControlError) in
                try await requeuing.step(ids, dryRun: request.dryRun)
            }
        case .stream(let stream):
            guard let id = destination(stream, reply) else { return }
            let snapshot = store.snapshot()
            if request.dryRun {
                let totals = snapshot.streams.first { $0.id == id }?.totals ?? QueueTotals()
                var step = RequeueStep()
                step.events = Int(clamping: totals.deadEvents)
                step.bytes = Int(clamping: totals.deadBytes - totals.deadEvents * QueueTotals.eventOverhead)
                return reply(.success(step))
            }
            let through = request.through > 0 ? EventID(request.through) : snapshot.lastID
            finish(reply) { () async throws(ControlError) in
                try await requeuing.step(of: id, after: EventID(request.after), through: through)
            }
        }
    }

    private func finish<Value: Sendable>(
        _ reply: @escaping ControlReply<Value>,
        _ body: @escaping @Sendable () async throws(ControlError) -> Value
    ) {
        Task {
            do throws(ControlError) {
                reply(.success(try await body()))
            } catch {
                reply(.failure(error))
            }
        }
    }

    // MARK: Shared

    /// The destination that an operator names: configured, or with a place in the queue.
    private func destination<Value>(_ stream: StreamReference, _ reply: ControlReply<Value>) -> DestinationID? {
        if let known = catalog.known(stream: stream.name, region: stream.region) { return known.id }
        let named = store.snapshot().streams.filter {
            $0.destination.stream == stream.name && (stream.region ?? $0.destination.region) == $0.destination.region
        }
        if named.count == 1 { return named[0].id }
        let message =
            named.isEmpty
            ? "There is no stream \(stream), neither in the configuration nor in the queue."
            : "\(stream) is in several regions: say \(named.map { "\($0.destination)" }.joined(separator: " or "))."
        reply(.failure(ControlError(.noSuchStream, message)))
        return nil
    }

    private var names: [DestinationID: Destination] {
        Dictionary(uniqueKeysWithValues: store.snapshot().streams.map { ($0.id, $0.destination) })
    }

    private static func error(_ error: QueueError) -> ControlError { ControlError(.failed, "\(error)") }

    private static func report(_ event: StoredEvent, now: Int64) -> EventReport {
        EventReport(
            id: event.id.rawValue,
            key: event.key,
            ageSeconds: Double(max(0, now - event.acceptedMS)) / 1000,
            data: event.data
        )
    }

    private static func report(
        _ letter: StoredDeadLetter,
        names: [DestinationID: Destination],
        now: Int64
    ) -> DeadLetterReport {
        DeadLetterReport(
            event: report(letter.event, now: now),
            stream: names[letter.destination]?.stream ?? "",
            region: names[letter.destination]?.region ?? "",
            code: letter.code,
            reason: letter.reason,
            deadSeconds: Double(max(0, now - letter.deadMS)) / 1000
        )
    }
}

/// Takes the queue's answers to what operators send.
private final class SendAnswers: AppendReceiver {
    private struct Waiting {
        var replies: [UInt64: (count: Int, reply: ControlReply<SendReport>)] = [:]
        var next: UInt64 = 0
    }

    private let waiting = Mutex(Waiting())

    func request(_ events: [NewEvent], _ reply: @escaping ControlReply<SendReport>) -> AppendRequest {
        let token = waiting.withLock { waiting in
            waiting.next += 1
            waiting.replies[waiting.next] = (events.count, reply)
            return waiting.next
        }
        return AppendRequest(events: events, token: token, receiver: self)
    }

    func appended(_ answers: [AppendAnswer]) {
        for answer in answers {
            guard let (count, reply) = waiting.withLock({ $0.replies.removeValue(forKey: answer.token) }) else {
                continue
            }
            switch answer.outcome {
            case .stored(let first): reply(.success(SendReport(accepted: count, firstID: first.rawValue)))
            case .refused(let refusal): reply(.failure(ControlError(.refused, "\(refusal)")))
            }
        }
    }

    func delivered(_ notices: [DeliveryNotice]) {}
}
