// SPDX-License-Identifier: Apache-2.0
import AgentCore

/// Kinesis, as a producer meets it: streams of shards, their limits, and all that can go wrong with a request. It may
/// store what it never confirms, and store it late.
final class SimulatedKinesis {
    /// The first bytes of an event's data: its token, and what is the matter with it.
    enum Mark: UInt8 {
        case fine = 0
        /// The whole request is refused for its sake, without naming it.
        case poison = 1
        /// Its entry of the answer is refused.
        case refused = 2
    }

    static let timeOut = Duration.seconds(30)

    private struct Pending {
        var due = Instant.never
        /// When its last byte moved.
        var moved: Instant
        let answer: (SendOutcome, _ isAmbiguous: Bool) -> Void
    }

    var weather: [Weather] = []
    var latencyMS = 1...20
    /// Whether refusals name the shard, as Kinesis does and not all that speak its language do.
    var namesShards = true
    /// A record was stored: the i-th of the request.
    var onArrival: (SimulatedRequest, Int) -> Void = { _, _ in }

    private let world: VirtualWorld
    private var generator: SeededGenerator
    private let limits: Shards.Limits
    private var streams: [Destination: Shards] = [:]
    private var points: [EventKey: UInt128] = [:]
    private var pending: [AttemptID: Pending] = [:]
    private var epoch = 0
    private let number = Payload("49590338271490256608559692538361571095921575989136588898")

    init(world: VirtualWorld, generator: SeededGenerator, limits: Shards.Limits) {
        self.world = world
        self.generator = generator
        self.limits = limits
    }

    func create(_ stream: Destination, shards: Int) {
        streams[stream] = Shards(count: shards, limits: limits, now: world.now)
    }

    func reshard(_ stream: Destination, into count: Int) { streams[stream]?.split(into: count, now: world.now) }

    func choke(_ stream: Destination, shard: Int) { streams[stream]?.choke(shard) }

    // MARK: Requests

    /// Calls back once, unless the caller dies first.
    func send(_ request: SimulatedRequest, _ answer: @escaping (SendOutcome, _ isAmbiguous: Bool) -> Void) {
        pending[request.batch.attempt] = Pending(moved: world.now, answer: answer)
        let sentIn = epoch
        world.after(generator.milliseconds(latencyMS)) { [self] in receive(request, sentIn) }
    }

    /// Gives a request up, if nothing of it moves for a second.
    func cancel(_ attempt: AttemptID) {
        guard let request = pending[attempt] else { return }
        let end = max(world.now, request.moved + .seconds(1))
        guard request.due > end else { return }
        let failure = SendFailure(kind: .transport, message: "given up")
        reply(to: attempt, after: end - world.now, .failed(failure), isAmbiguous: true)
    }

    /// The caller dies: nobody hears the answers.
    func crash() {
        epoch += 1
        pending = [:]
    }

    private func reply(to attempt: AttemptID, after delay: Duration, _ outcome: SendOutcome, isAmbiguous: Bool) {
        let sentIn = epoch
        pending[attempt]?.due = world.now + delay
        world.after(delay) { [self] in
            guard sentIn == epoch, let waiting = pending.removeValue(forKey: attempt) else { return }
            waiting.answer(outcome, isAmbiguous)
        }
    }

    private func fail(_ request: SimulatedRequest, after delay: Duration, _ failure: SendFailure, isAmbiguous: Bool) {
        reply(to: request.batch.attempt, after: delay, .failed(failure), isAmbiguous: isAmbiguous)
    }

    /// The request comes to Kinesis, or to what is in between.
    private func receive(_ request: SimulatedRequest, _ sentIn: Int) {
        if sentIn == epoch { pending[request.batch.attempt]?.moved = world.now }
        var storm: Weather.Kind?
        for each in weather where each.meets(request, at: world.now) && generator.chance(each.probability) {
            storm = each.kind
            break
        }
        guard sentIn == epoch else {
            // The caller died meanwhile: what it sent is stored all the same, or not.
            if storm == nil, generator.chance(0.7), !isPoisoned(request) { _ = process(request) }
            return
        }
        let back = generator.milliseconds(latencyMS)
        switch storm {
        case .unreachable:
            fail(
                request,
                after: generator.milliseconds(0...3000),
                .init(kind: .connect, message: ""),
                isAmbiguous: false
            )
        case .hangs:
            if generator.chance(0.5), !isPoisoned(request) {
                world.after(generator.milliseconds(0...25_000)) { [self] in _ = process(request) }
            }
            let failure = SendFailure(kind: .transport, message: "timed out", isTimeout: true)
            fail(request, after: Self.timeOut, failure, isAmbiguous: true)
        case .losesAnswers:
            if !isPoisoned(request) { _ = process(request) }
            let after = generator.milliseconds(1...5000)
            fail(request, after: after, .init(kind: .transport, message: "connection reset"), isAmbiguous: true)
        case .serverErrors:
            if generator.chance(0.3), !isPoisoned(request) { _ = process(request) }
            let failure = generator.pick([
                SendFailure(kind: .response, status: 500, code: "InternalFailure", message: ""),
                SendFailure(kind: .response, status: 503, code: "ServiceUnavailable", message: ""),
                SendFailure(kind: .response, status: 502, message: ""),
            ])
            fail(request, after: back, failure, isAmbiguous: true)
        case .garbles:
            garble(request, after: back)
        case .throttles:
            let failure = generator.pick([
                SendFailure(kind: .response, status: 400, code: "ProvisionedThroughputExceededException", message: ""),
                SendFailure(kind: .response, status: 400, code: "ThrottlingException", message: ""),
                SendFailure(kind: .response, status: 429, message: "", retryAfter: .seconds(2)),
            ])
            fail(request, after: back, failure, isAmbiguous: false)
        case .expiredCredentials: refuse(request, after: back, "ExpiredTokenException")
        case .noCredentials:
            fail(request, after: .zero, .init(kind: .noCredentials, message: ""), isAmbiguous: false)
        case .wrongClock: refuse(request, after: back, "InvalidSignatureException", "Signature expired: too old")
        case .streamMissing: refuse(request, after: back, "ResourceNotFoundException")
        case .accessDenied: refuse(request, after: back, "AccessDeniedException")
        case .refusesAll: refuse(request, after: back, "ValidationException")
        case .slow: answer(request, after: generator.milliseconds(500...8000), failing: 0)
        case .narrow: carry(request)
        case .failsEntries: answer(request, after: back, failing: 0.3)
        case .failsAllEntries: answer(request, after: back, failing: 1)
        case nil where abs(request.clockError.inSeconds) > 300:
            refuse(request, after: back, "InvalidSignatureException", "Signature expired: too old")
        case nil: answer(request, after: back, failing: 0)
        }
    }

    /// What is under way at the same time shares the link.
    private func carry(_ request: SimulatedRequest) {
        let bytes = request.batch.request.records.reduce(0) { $0 + $1.data.count + $1.partitionKey.utf8.count }
        let time = Duration.milliseconds(20 + bytes * pending.count / 50)
        guard time > Self.timeOut else { return answer(request, after: time, failing: 0) }
        let failure = SendFailure(kind: .transport, message: "timed out", isTimeout: true)
        if time < Self.timeOut + .seconds(5), !isPoisoned(request) { _ = process(request) }
        fail(request, after: Self.timeOut, failure, isAmbiguous: true)
    }

    private func refuse(_ request: SimulatedRequest, after delay: Duration, _ code: String, _ message: String = "") {
        let failure = SendFailure(kind: .response, status: 400, code: code, message: message)
        fail(request, after: delay, failure, isAmbiguous: false)
    }

    private func garble(_ request: SimulatedRequest, after delay: Duration) {
        if isPoisoned(request) { return refuse(request, after: delay, "ValidationException") }
        var entries = process(request)
        if generator.chance(0.3) {
            return fail(request, after: delay, .init(kind: .unintelligible, message: ""), isAmbiguous: true)
        }
        if generator.chance(0.5) { entries.removeLast() } else { entries.append(entries[0]) }
        reply(to: request.batch.attempt, after: delay, .answered(entries), isAmbiguous: true)
    }

    private func answer(_ request: SimulatedRequest, after delay: Duration, failing: Double) {
        if isPoisoned(request) {
            let code = generator.pick(["ValidationException", "InvalidArgumentException", "SerializationException"])
            return refuse(request, after: delay, code)
        }
        let entries = process(request, failing: failing)
        reply(to: request.batch.attempt, after: delay, .answered(entries), isAmbiguous: false)
    }

    // MARK: Records

    static func mark(of data: Payload) -> Mark? { data.withUnsafeBytes { $0.count > 8 ? Mark(rawValue: $0[8]) : nil } }

    private func isPoisoned(_ request: SimulatedRequest) -> Bool {
        request.batch.request.records.contains { Self.mark(of: $0.data) == .poison }
    }

    /// Stores what it can, in any order: PutRecords promises none.
    private func process(_ request: SimulatedRequest, failing: Double = 0) -> [RecordOutcome] {
        let records = request.batch.request.records
        var outcomes = [RecordOutcome](repeating: .refused(code: "", message: ""), count: records.count)
        for index in records.indices.shuffled(using: &generator) {
            outcomes[index] = store(records[index], index, of: request, failing: failing)
        }
        return outcomes
    }

    private func store(
        _ record: OutgoingRecord,
        _ index: Int,
        of request: SimulatedRequest,
        failing: Double
    ) -> RecordOutcome {
        if Self.mark(of: record.data) == .refused {
            return .refused(code: "InvalidArgumentException", message: "not this one")
        }
        if failing > 0, generator.chance(failing) {
            return .refused(
                code: generator.pick(["InternalFailure", "KMSThrottlingException", "Unheard"]),
                message: ""
            )
        }
        let bytes = record.data.count + record.partitionKey.utf8.count
        let key = EventKey(partitionKey: record.partitionKey, explicitHashKey: record.explicitHashKey)
        let point = points[key] ?? key.hashPoint
        points[key] = point
        let stream = request.batch.request.destination
        let shard = streams[stream]?.name(of: point) ?? ""
        guard streams[stream]?.admit(point, bytes: bytes, now: world.now) != nil else {
            let message = namesShards ? "Rate exceeded for shard \(shard) in stream \(stream.stream)" : "Rate exceeded"
            return .refused(code: "ProvisionedThroughputExceededException", message: message)
        }
        onArrival(request, index)
        return .accepted(sequenceNumber: number, shard: Payload(shard))
    }
}
