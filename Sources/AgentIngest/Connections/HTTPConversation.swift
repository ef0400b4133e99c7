// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// HTTP/1 on a connection: takes requests apart as they come, and answers them in their order.
///
/// Nearly all requests arrive whole in one read. Such a request is handled straight from the memory it was read into,
/// and its body is copied once, into the block that goes to the queue.
final class HTTPConversation: Conversation {
    private enum Phase: Equatable {
        /// A request line is expected, or more of the head.
        case head
        /// A body of this length is not read before its bytes are reserved.
        case room(length: Int)
        /// So many bytes of the body are missing.
        case fixed(missing: Int)
        case chunked
        /// So many bytes of a refused body are still to come.
        case skipping(Int)
        /// No request will be read any more.
        case over
    }

    /// Requests read but not answered.
    private static let maxPipelined = 64
    /// A refused body up to this is read and thrown away, to keep the connection.
    private static let maxSkippedBytes = 256 << 10
    /// What a request holds beside its body, and an event beside its data.
    private static let requestOverhead = 512
    private static let eventOverhead = 64
    /// A chunked body grows in steps of this, at least.
    private static let growthStep = 64 << 10

    let connection: Connection
    // Not checked for overlapping access, here and in `Connection` and `IngestLoop`, where each request would pay for
    // the check several times: only the event loop's thread touches it, and what changes it calls nothing that comes
    // back to it.
    @exclusivity(unchecked) var exchanges = Exchanges()
    private var loop: IngestLoop { connection.loop }
    private var phase = Phase.head
    private var inbox = ByteBuffer()
    private var isTaking = false
    private var hasInputEnded = false

    // The request whose body is being read.
    private var plan: RequestPlan?
    private var sequence: UInt64 = 0
    @exclusivity(unchecked) private var body: [UInt8] = []
    private var chunks = ChunkedBody()
    private var reserved = 0
    /// What a chunked body waits for.
    private var growth = 0
    /// Whether it ever asked for more.
    private var hasGrown = false

    private var lastRequest: NIODeadline
    private var deadline: NIODeadline?

    init(_ connection: Connection) {
        self.connection = connection
        lastRequest = connection.loop.now
    }

    var wantsInput: Bool {
        if case .room = phase { return false }
        return exchanges.count < Self.maxPipelined && phase != .over
    }

    var need: InputNeed { phase == .head ? .begins : .reserved }

    // MARK: Input

    func received(_ buffer: inout ByteBuffer) {
        guard phase != .over else { return }
        if inbox.readableBytes == 0 {
            take(&buffer)
            if buffer.readableBytes > 0, phase != .over {
                inbox.clear()
                inbox.writeBuffer(&buffer)
            }
        } else {
            inbox.writeBuffer(&buffer)
            takeInbox()
        }
    }

    private func takeInbox() {
        if !isTaking, phase != .over, inbox.readableBytes > 0 {
            var buffer = inbox
            inbox = ByteBuffer()
            take(&buffer)
            if buffer.readableBytes > 0, phase != .over {
                buffer.discardReadBytes()
                inbox = buffer
            }
        }
        if hasInputEnded { endAfterInput() }
    }

    private func take(_ buffer: inout ByteBuffer) {
        isTaking = true
        defer { isTaking = false }
        while true {
            let goesOn =
                switch phase {
                case .head: takeHead(&buffer)
                case .fixed(let missing): takeFixed(&buffer, missing)
                case .chunked: takeChunks(&buffer)
                case .skipping(let missing): skip(&buffer, missing)
                case .room, .over: false
                }
            if !goesOn { return }
        }
    }

    private func takeHead(_ buffer: inout ByteBuffer) -> Bool {
        guard buffer.readableBytes > 0, exchanges.count < Self.maxPipelined else { return false }
        let opening = buffer.withUnsafeReadableBytes {
            Opening($0, isLocal: connection.isLocal, access: loop.access, rules: loop.rules)
        }
        switch opening {
        case .incomplete:
            if deadline == nil { deadline = loop.now + loop.times.head + loop.times.sweep }
            return false
        case .fault(let fault):
            refuseAndEnd(Refusal(fault))
            return false
        case .request(let head, let decision):
            buffer.moveReaderIndex(forwardBy: head.byteCount)
            begin(head, decision, hasBody: buffer.readableBytes > 0)
            return true
        }
    }

    private func begin(_ head: RequestHead, _ decision: consuming Opening.Decision, hasBody: Bool) {
        deadline = nil
        lastRequest = loop.now
        var mode = ReplyMode()
        mode.closes = head.wantsClose || (head.isVersion10 && !head.wantsKeepAlive) || connection.isSurplus
        mode.saysKeepAlive = head.isVersion10
        mode.omitsBody = head.method == .head
        sequence = exchanges.begin(mode)
        let waitsToSend = head.expectsContinue && !hasBody
        if case .plan(let plan) = decision, !connection.isSurplus {
            self.plan = plan
            if waitsToSend { exchanges[sequence].owesContinue = true }
            deadline = loop.now + loop.times.body + loop.times.sweep
            if head.isChunked {
                chunks = ChunkedBody()
                phase = .chunked
                if waitsToSend { sayContinue() }
            } else {
                reserve(head.contentLength ?? 0)
            }
            return
        }
        leave(head.isChunked ? .max : head.contentLength ?? 0, waitsToSend)
        switch decision {
        case _ where connection.isSurplus: refuse(sequence, .tooManyConnections, .native)
        case .health: answer(sequence) { Reply.json([("status", .text("ok"))], 200, $0, to: &$1) }
        case .readiness: answerReadiness()
        case .refused(let refusal, let shape): refuse(sequence, refusal, shape)
        case .plan: break
        }
    }

    private func answerReadiness() {
        switch loop.isDraining ? .notReady("The agent is shutting down.") : loop.readiness() {
        case .ready: answer(sequence) { Reply.json([("status", .text("ready"))], 200, $0, to: &$1) }
        case .notReady(let why): refuse(sequence, Refusal(503, "not_ready", why, retryAfter: 1), .native)
        }
    }

    /// Goes on behind a body of `length` bytes that is of no use.
    private func leave(_ length: Int, _ waitsToSend: Bool) {
        if exchanges[sequence].mode.closes {
            phase = .over
        } else if length == 0 {
            phase = .head
        } else if length <= Self.maxSkippedBytes, !waitsToSend {
            phase = .skipping(length)
            deadline = loop.now + loop.times.body + loop.times.sweep
        } else {
            exchanges[sequence].mode.closes = true
            phase = .over
        }
    }

    private func skip(_ buffer: inout ByteBuffer, _ missing: Int) -> Bool {
        let count = min(missing, buffer.readableBytes)
        buffer.moveReaderIndex(forwardBy: count)
        phase = count == missing ? .head : .skipping(missing - count)
        if phase == .head { deadline = nil }
        return phase == .head
    }

    // MARK: Bodies

    private func reserve(_ length: Int) {
        if connection.reserve(length + Self.requestOverhead) {
            startBody(length)
        } else {
            phase = .room(length: length)
            deadline = nil
        }
    }

    private func startBody(_ length: Int) {
        reserved = length + Self.requestOverhead
        phase = .fixed(missing: length)
        if exchanges[sequence].owesContinue { sayContinue() }
    }

    func flushed() {}

    func roomGranted() {
        deadline = loop.now + loop.times.body + loop.times.sweep
        if case .room(let length) = phase {
            startBody(length)
        } else {
            reserved += growth
            growth = 0
        }
        takeInbox()
    }

    private func takeFixed(_ buffer: inout ByteBuffer, _ missing: Int) -> Bool {
        let count = min(missing, buffer.readableBytes)
        if body.isEmpty, count < missing { body.reserveCapacity(missing) }
        buffer.withUnsafeReadableBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            if body.isEmpty, count == missing { body = [UInt8](copying: part) } else { body.append(contentsOf: part) }
        }
        buffer.moveReaderIndex(forwardBy: count)
        phase = .fixed(missing: missing - count)
        if count < missing { return false }
        submit()
        return true
    }

    private func takeChunks(_ buffer: inout ByteBuffer) -> Bool {
        guard let plan, buffer.readableBytes > 0, growth == 0 else { return false }
        let need = body.count + buffer.readableBytes + Self.requestOverhead - reserved
        if need > 0 {
            let step = max(need, Self.growthStep)
            hasGrown = true
            guard connection.reserve(step, grows: true) else {
                growth = step
                deadline = nil
                return false
            }
            reserved += step
        }
        var consumed = 0
        let progress = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(HTTPFault) in
                try chunks.take(bytes, into: &body, limit: plan.bodyLimit, consumed: &consumed)
            }
        }
        buffer.moveReaderIndex(forwardBy: consumed)
        switch progress {
        case .success(.more): return false
        case .success(.finished): submit()
        case .success(.tooLarge): refuseBody(.bodyTooLarge(limit: plan.bodyLimit))
        case .failure(let fault): refuseBody(Refusal(fault))
        }
        return true
    }

    /// The body is whole.
    private func submit() {
        guard let plan else { return }
        let block = body
        body = []
        self.plan = nil
        deadline = nil
        phase = exchanges[sequence].mode.closes ? .over : .head
        exchanges[sequence].owesContinue = false
        let shape = plan.shape
        do throws(Refusal) {
            let events = try EventBuilder(rules: loop.rules, block: block).events(plan)
            let overhead = events.count * Self.eventOverhead
            loop.charge(overhead)
            let bytes = reserved + overhead
            reserved = 0
            loop.append(
                events,
                bytes: bytes,
                owner: .exchange(self, sequence: sequence, shape: shape),
                awaitsDelivery: plan.form == .put
            )
        } catch {
            refuse(sequence, error, shape)
        }
        releaseBody()
    }

    /// The rest of the body is not read, so the connection ends.
    private func refuseBody(_ refusal: Refusal) {
        let shape = plan?.shape ?? .native
        exchanges[sequence].mode.closes = true
        phase = .over
        releaseBody()
        refuse(sequence, refusal, shape)
    }

    private func refuseAndEnd(_ refusal: Refusal) {
        sequence = exchanges.begin(ReplyMode(closes: true))
        phase = .over
        refuse(sequence, refusal, .native)
    }

    /// Gives back what no append took over.
    private func releaseBody() {
        plan = nil
        body = []
        growth = 0
        if reserved > 0 {
            let bytes = reserved
            reserved = 0
            loop.release(bytes)
        }
        if hasGrown {
            hasGrown = false
            loop.endGrowth(of: connection)
        }
    }

    // MARK: Ends

    /// After a reply: its place in line is free for the next request.
    func exchangeEnded() {
        lastRequest = loop.now
        takeInbox()
        connection.resumeReading()
    }

    func inputEnded() {
        hasInputEnded = true
        endAfterInput()
    }

    /// Nothing more comes: answers what is whole, forgets what is not.
    private func endAfterInput() {
        guard phase != .over || exchanges.isEmpty else { return }
        if case .room = phase { return }
        if growth > 0 || (inbox.readableBytes > 0 && exchanges.count == Self.maxPipelined) { return }
        if plan != nil {
            releaseBody()
            exchanges.removeLast()
        }
        phase = .over
        inbox = ByteBuffer()
        if exchanges.isEmpty { connection.finish() } else { exchanges.closeAfterLast() }
    }

    func drain() {
        if exchanges.isEmpty { return connection.close() }
        exchanges.closeAfterLast()
        if plan == nil { phase = .over }
    }

    func lost() {
        phase = .over
        inbox = ByteBuffer()
        exchanges.removeAll()
        releaseBody()
    }

    func sweep(now: NIODeadline) {
        if let deadline, now >= deadline {
            // Time in which the agent did not read is not the client's fault.
            if loop.budget.isExhausted, phase == .head { return self.deadline = now + loop.times.head }
            self.deadline = nil
            if plan != nil { return refuseBody(.slow) }
            if phase == .head { return refuseAndEnd(.slow) }
            phase = .over
            exchanges.closeAfterLast()
            if exchanges.isEmpty { connection.close() }
        } else if phase == .head, exchanges.isEmpty, inbox.readableBytes == 0, now - lastRequest > loop.times.idle {
            connection.close()
        }
    }
}
