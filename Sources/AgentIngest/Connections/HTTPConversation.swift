// SPDX-License-Identifier: Apache-2.0

internal import AgentCore
internal import NIOCore

/// HTTP/1 on a connection: requests are taken apart as they come, and answered in their order.
///
/// What is decided about a request on its way in is in ``RequestMachine``; this does it, and decides only whose turn
/// it is.
///
/// Nearly all requests arrive whole in one read. Such a request is handled straight from the memory it was read into,
/// and its body is copied once, into the block that goes to the queue.
final class HTTPConversation: Conversation {
    /// Requests read but not answered.
    private static let maxPipelined = 64
    /// Answers that are ahead of their turn, in bytes: with more, no further request is looked at.
    private static let maxAheadBytes = 8 << 10
    /// Requests that are looked at before the other connections have their turn.
    private static let maxInTurn = 16
    /// Answers that are gathered into one write.
    private static let maxOutbox = 16 << 10

    let connection: Connection
    // Not checked for overlapping access, here and in `Connection` and `IngestLoop`, where each request would pay for
    // the check several times: only the event loop's thread touches it, and what changes it calls nothing that comes
    // back to it.
    @exclusivity(unchecked) var machine: RequestMachine
    @exclusivity(unchecked) var exchanges = Exchanges()
    var loop: IngestLoop { connection.loop }
    /// The number of the request that began last.
    var sequence: UInt64 = 0
    /// The answer to `GET /metrics` is being made.
    var isPageDue = false
    private var inbox = ByteBuffer()
    private var isTaking = false
    private var takenInTurn = 0
    private var hasInputEnded = false

    init(_ connection: Connection) {
        self.connection = connection
        machine = RequestMachine(connection.loop.times, isSurplus: connection.isSurplus, now: connection.loop.now)
    }

    var wantsInput: Bool {
        exchanges.count < Self.maxPipelined && exchanges.aheadBytes < Self.maxAheadBytes
            && takenInTurn < Self.maxInTurn && !isPageDue && machine.phase != .over && machine.phase != .room
    }

    var heldBytes: Int {
        inbox.readableBytes + exchanges.aheadBytes
            + (machine.shape == nil ? 0 : machine.body.count + Self.requestOverhead)
    }

    var isSmall: Bool { machine.staysBelow(ByteBudget<Connection>.smallBytes) }

    var missingBytes: Int? { machine.missingBytes }

    var isIdle: Bool { machine.phase == .head && hasNothingToDo }

    private var hasNothingToDo: Bool { exchanges.isEmpty && inbox.readableBytes == 0 }

    var waitsForQueue: Bool { machine.phase == .room || (machine.shape == nil && !exchanges.isEmpty) }

    // MARK: Input

    func received(_ buffer: inout ByteBuffer) {
        guard machine.phase != .over else { return }
        if inbox.readableBytes == 0 {
            take(&buffer)
            if buffer.readableBytes > 0, machine.phase != .over { inbox.writeBuffer(&buffer) }
        } else {
            inbox.writeBuffer(&buffer)
            takeInbox()
        }
    }

    func takeInbox() {
        if !isTaking, machine.phase != .over, inbox.readableBytes > 0 {
            var buffer = inbox
            inbox = ByteBuffer()
            take(&buffer)
            if buffer.readableBytes > 0, machine.phase != .over {
                buffer.discardReadBytes()
                inbox = buffer
            }
        }
        if hasInputEnded { endAfterInput() }
    }

    private func take(_ buffer: inout ByteBuffer) {
        isTaking = true
        defer { isTaking = false }
        while mayTake(buffer) {
            var consumed = 0
            let action = buffer.withUnsafeReadableBytes { bytes in
                machine.take(bytes, now: loop.now, consumed: &consumed) {
                    Opening(
                        $0,
                        access: loop.access,
                        rules: loop.rules,
                        isLocal: connection.isLocal,
                        cameTo: { connection.cameTo }
                    )
                }
            }
            buffer.moveReaderIndex(forwardBy: consumed)
            if case .speakHTTP2 = action { return connection.speakHTTP2(buffer) }
            if !perform(action) { return }
        }
    }

    private func mayTake(_ buffer: ByteBuffer) -> Bool {
        guard machine.phase == .head else { return true }
        guard buffer.readableBytes > 0 else {
            if takenInTurn < Self.maxInTurn { takenInTurn = 0 }
            return false
        }
        return mayTakeHead()
    }

    /// Whether the next request may be looked at, or something has to come first: the client has to read, others
    /// have their turn, or earlier requests are to be answered.
    private func mayTakeHead() -> Bool {
        if connection.outbox.readableBytes >= Self.maxOutbox { connection.flushNow() }
        guard !connection.isUnread, !isPageDue, exchanges.count < Self.maxPipelined,
            exchanges.aheadBytes < Self.maxAheadBytes
        else { return false }
        guard takenInTurn < Self.maxInTurn else { return false }
        takenInTurn += 1
        if takenInTurn == Self.maxInTurn { loop.later(connection) }
        return true
    }

    func goOn() {
        takenInTurn = 0
        takeInbox()
    }

    /// Does what the machine says.
    /// - Returns: whether there may be more to look at.
    @discardableResult
    func perform(_ action: consuming RequestMachine.Action) -> Bool {
        switch action {
        case .wait: return false
        case .goOn: return true
        case .begin(let mode, let asksForBody):
            sequence = exchanges.begin(mode)
            if asksForBody {
                exchanges[sequence].owesContinue = true
                sayContinue()
            }
        case .answer(let mode, let decision):
            sequence = exchanges.begin(mode)
            switch decision {
            case .probe(.health): answer(sequence) { Reply.json([("status", .text("ok"))], 200, $0, to: &$1) }
            case .probe(.readiness): answerReadiness()
            case .probe(.metrics): answerMetrics()
            case .preflight(let preflight): answer(sequence) { Reply.preflight(preflight, $0, to: &$1) }
            case .refused(let refusal, let shape): refuse(sequence, refusal, shape)
            case .body: preconditionFailure("a request whose body is wanted cannot be answered yet")
            }
        case .refuse(let mode, let refusal):
            sequence = exchanges.begin(mode)
            refuse(sequence, refusal)
        case .submit:
            exchanges[sequence].owesContinue = false
            return submit()
        case .refuseBody(let refusal, let shape):
            exchanges[sequence].mode.closes = true
            refuse(sequence, refusal, shape)
        case .end:
            exchanges.closeAfterLast()
            if exchanges.isEmpty { connection.close() }
        case .close: connection.close()
        case .speakHTTP2: preconditionFailure("said only of bytes that came, to who has them")
        }
        return true
    }

    private func answerReadiness() {
        switch loop.isDraining ? .notReady("The agent is shutting down.") : loop.readiness() {
        case .ready: answer(sequence) { Reply.json([("status", .text("ready"))], 200, $0, to: &$1) }
        case .notReady(let why):
            // Not counted: nothing of the client's is turned away.
            let refusal = Refusal(503, "not_ready", why, retryAfter: 1)
            answer(sequence) { Reply.refusal(refusal, $0, to: &$1) }
        }
    }

    // MARK: What the connection says

    func flushed() {
        if inbox.readableBytes > 0, machine.phase != .over { takeInbox() }
    }

    func mayReadOn() { machine.readOn(now: loop.now) }

    func giveWay() {
        let action = inbox.withUnsafeReadableBytes { machine.giveWay(isAnswered: exchanges.isEmpty, $0) }
        perform(action)
    }

    /// After a reply: its place in line is free for the next request.
    func exchangeEnded() {
        machine.answered(now: loop.now)
        if isTaking { return }
        takeInbox()
        connection.account()
        connection.resumeReading()
    }

    func inputEnded() {
        hasInputEnded = true
        endAfterInput()
    }

    /// Nothing more comes: answers what is whole, forgets what is not.
    private func endAfterInput() {
        guard machine.phase != .over || exchanges.isEmpty else { return }
        if machine.phase == .room { return }
        // What is there may be whole: it was only not looked at.
        if inbox.readableBytes > 0, connection.isUnread || !wantsInput { return }
        if machine.end() { exchanges.removeLast() }
        inbox = ByteBuffer()
        if exchanges.isEmpty { connection.finish() } else { exchanges.closeAfterLast() }
    }

    func drain() {
        if exchanges.isEmpty { return connection.close() }
        exchanges.closeAfterLast()
        machine.drain()
    }

    func lost() {
        _ = machine.end()
        inbox = ByteBuffer()
        exchanges.removeAll()
    }

    func sweep(now: NIODeadline) {
        let isBehind = connection.isWaitingToRead && connection.waitingInput > 0
        let action = inbox.withUnsafeReadableBytes {
            machine.timePassed(now: now, isBehind: isBehind, isIdle: hasNothingToDo, $0)
        }
        perform(action)
    }
}
