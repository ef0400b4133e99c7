// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// Takes the requests of a connection apart, one after the other, as their bytes come: says when one begins, when its
/// body is whole, and when it is too late for either.
///
/// It knows no socket and no queue, and is given the time. Each request goes through the phases in their order; which
/// of them is refused, or the last one, is decided here, and said by who asks.
struct RequestMachine: ~Copyable {
    enum Phase: Equatable {
        /// A request line is expected, or more of the head.
        case head
        /// So many bytes of the body are missing.
        case fixed(missing: Int)
        case chunked
        /// The body is whole, and waits until the queue has answered others.
        case room
        /// So many bytes of a refused body are still to come.
        case skipping(Int)
        /// No request will be read any more.
        case over
    }

    /// What is to be done next. What is rare and large is boxed, as in ``Opening/Decision``.
    enum Action {
        /// Nothing, until more comes.
        case wait
        /// There is more to be looked at.
        case goOn
        /// A request begins whose body is wanted. `asksForBody`: the client waits for 100 before it sends that.
        case begin(ReplyMode, asksForBody: Bool)
        /// A request begins and is answered: its body is not wanted.
        indirect case answer(ReplyMode, Opening.Decision)
        /// The bytes are no request: a refusal is the last thing that is said.
        indirect case refuse(ReplyMode, Refusal)
        /// The body is whole, in ``body``. Then follows one of ``bodyTaken(isLast:)`` and ``waitForRoom()``.
        case submit
        /// The body is no good: the refusal of its request is the last thing that is said.
        indirect case refuseBody(Refusal, shape: (any RequestShape.Type)?)
        /// The bytes begin HTTP/2, and are for who speaks that.
        case speakHTTP2
        /// Nothing follows the answers that are still to come.
        case end
        /// Nobody will miss it.
        case close
    }

    /// A refused body up to this is read and thrown away, to keep the connection.
    private static let maxSkippedBytes = 256 << 10
    /// Room is made for at most this many times what has come of a body.
    private static let growth = 16
    private static let leastGrowth = 64 << 10

    private let times: IngestLoop.Times
    /// The connection is one more than may be: whatever it asks for, it only learns that.
    private let isSurplus: Bool
    private(set) var phase = Phase.head
    /// No request has come yet.
    private var isFirst = true
    /// The request whose body is being read, or is whole and waits.
    private(set) var shape: (any RequestShape)?
    private(set) var body: [UInt8] = []
    /// Where the request has one.
    private(set) var key: IdempotencyKey?
    private var chunks = ChunkedBody()
    /// When the client has taken too long.
    private var deadline: NIODeadline?
    private var lastRequest: NIODeadline

    init(_ times: IngestLoop.Times, isSurplus: Bool, now: NIODeadline) {
        self.times = times
        self.isSurplus = isSurplus
        lastRequest = now
    }

    /// Bytes that are missing of the body, where that is known.
    var missingBytes: Int? { if case .fixed(let missing) = phase { missing } else { nil } }

    /// Whether what is being read will not hold more than so many bytes.
    func staysBelow(_ bytes: Int) -> Bool {
        switch phase {
        case .head, .skipping, .over: true
        case .fixed(let missing): body.count + missing <= bytes
        case .chunked, .room: false
        }
    }

    // MARK: Bytes

    /// Looks at what has come.
    ///
    /// - Parameters:
    ///   - open: what a head is, if it is whole.
    ///   - consumed: how many of the bytes are done with.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer,
        now: NIODeadline,
        consumed: inout Int,
        open: (UnsafeRawBufferPointer) -> Opening
    ) -> Action {
        consumed = 0
        switch phase {
        case .head:
            if bytes.isEmpty { return .wait }
            switch open(bytes) {
            case .incomplete:
                if deadline == nil { deadline = now + times.head + times.sweep }
                return .wait
            case .fault(.version) where isFirst && HTTP2Conversation.isGreeting(bytes):
                phase = .over
                return .speakHTTP2
            case .fault(let fault): return refuseHead(Refusal(fault), bytes)
            case .request(let head, let origin, let decision):
                consumed = head.byteCount
                return begin(head, origin, decision, hasBody: bytes.count > consumed, now)
            }
        case .fixed(let missing):
            consumed = min(missing, bytes.count)
            return takeFixed(UnsafeRawBufferPointer(rebasing: bytes[..<consumed]), missing)
        case .chunked: return takeChunks(bytes, &consumed)
        case .skipping(let missing):
            consumed = min(missing, bytes.count)
            phase = consumed == missing ? .head : .skipping(missing - consumed)
            guard phase == .head else { return .wait }
            deadline = nil
            return .goOn
        case .room, .over: return .wait
        }
    }

    private mutating func begin(
        _ head: RequestHead,
        _ origin: AllowedOrigin,
        _ decision: Opening.Decision,
        hasBody: Bool,
        _ now: NIODeadline
    ) -> Action {
        deadline = nil
        lastRequest = now
        isFirst = false
        var mode = ReplyMode()
        mode.closes = head.wantsClose || (head.isVersion10 && !head.wantsKeepAlive) || isSurplus
        mode.saysKeepAlive = head.isVersion10
        mode.omitsBody = head.method == .head
        mode.origin = origin
        let waitsToSend = head.expectsContinue && !hasBody
        if case .body(let shape, let key) = decision, !isSurplus {
            self.shape = shape
            self.key = key
            deadline = now + times.body + times.sweep
            if head.isChunked {
                chunks = ChunkedBody()
                phase = .chunked
            } else {
                phase = .fixed(missing: head.contentLength ?? 0)
            }
            return .begin(mode, asksForBody: waitsToSend)
        }
        // Goes on behind a body that is of no use.
        let length = head.isChunked ? .max : head.contentLength ?? 0
        if mode.closes {
            phase = .over
        } else if length == 0 {
            phase = .head
        } else if length <= Self.maxSkippedBytes, !waitsToSend {
            phase = .skipping(length)
            deadline = now + times.body + times.sweep
        } else {
            mode.closes = true
            phase = .over
        }
        return .answer(mode, isSurplus ? .refused(.tooManyConnections, shape: nil) : decision)
    }

    private mutating func takeFixed(_ part: UnsafeRawBufferPointer, _ missing: Int) -> Action {
        if part.count == missing, body.isEmpty {
            body = [UInt8](copying: part)
        } else {
            let there = body.count + part.count
            if there > body.capacity {
                // A head that announces much must not cost more than what follows it.
                body.reserveCapacity(min(body.count + missing, max(there * Self.growth, Self.leastGrowth)))
            }
            body.append(contentsOf: part)
        }
        phase = .fixed(missing: missing - part.count)
        if part.count < missing { return .wait }
        deadline = nil
        return .submit
    }

    private mutating func takeChunks(_ bytes: UnsafeRawBufferPointer, _ consumed: inout Int) -> Action {
        guard let limit = shape?.bodyLimit, !bytes.isEmpty else { return .wait }
        do throws(HTTPFault) {
            switch try chunks.take(bytes, into: &body, limit: limit, consumed: &consumed) {
            case .more: return .wait
            case .finished:
                deadline = nil
                return .submit
            case .tooLarge: return refuseBody(.bodyTooLarge(limit: limit))
            }
        } catch {
            return refuseBody(Refusal(error))
        }
    }

    // MARK: A body that is whole

    /// Its events are with the queue, or refused: the next request may come, where this was not the last one.
    mutating func bodyTaken(isLast: Bool) {
        phase = isLast ? .over : .head
        forgetBody()
    }

    /// There is no room for its events yet: it stays.
    mutating func waitForRoom() { phase = .room }

    // MARK: Ends

    /// What it holds is needed for others.
    ///
    /// - Parameters:
    ///   - isAnswered: all requests before were answered.
    ///   - rest: bytes that were not taken.
    mutating func giveWay(isAnswered: Bool, _ rest: UnsafeRawBufferPointer) -> Action {
        if shape != nil { return refuseBody(.crowdedOut) }
        if isAnswered, phase == .head { return refuseHead(.crowdedOut, rest) }
        return .close
    }

    /// Nothing more comes.
    /// - Returns: whether a request was not whole, and will not be.
    mutating func end() -> Bool {
        let wasOpen = shape != nil
        phase = .over
        forgetBody()
        return wasOpen
    }

    /// The agent stops: what has begun is the last.
    mutating func drain() { if shape == nil { phase = .over } }

    // MARK: Time

    /// Time in which the agent did not read is not the client's fault.
    mutating func readOn(now: NIODeadline) {
        if deadline != nil { deadline = now + (phase == .head ? times.head : times.body) }
    }

    /// Time passed.
    ///
    /// - Parameters:
    ///   - isBehind: the client has said more, which the agent has not read.
    ///   - isIdle: nothing waits for an answer, nor to be looked at.
    mutating func timePassed(
        now: NIODeadline,
        isBehind: Bool,
        isIdle: Bool,
        _ rest: UnsafeRawBufferPointer
    ) -> Action {
        guard let deadline, now >= deadline else {
            return phase == .head && isIdle && now - lastRequest > times.idle ? .close : .wait
        }
        if isBehind {
            readOn(now: now)
            return .wait
        }
        self.deadline = nil
        if shape != nil { return refuseBody(.slow) }
        if phase == .head { return refuseHead(.slow, rest) }
        phase = .over
        return .end
    }

    /// A request was answered.
    mutating func answered(now: NIODeadline) { lastRequest = now }

    // MARK: Refusals

    /// The rest of the body is not read, so the connection ends.
    private mutating func refuseBody(_ refusal: Refusal) -> Action {
        let shape = shape.map { type(of: $0) as any RequestShape.Type }
        phase = .over
        forgetBody()
        return .refuseBody(refusal, shape: shape)
    }

    private mutating func refuseHead(_ refusal: Refusal, _ bytes: UnsafeRawBufferPointer) -> Action {
        phase = .over
        // A request that is not understood, or not whole, may still be one for a head alone.
        return .refuse(ReplyMode(closes: true, omitsBody: bytes.prefix(5).elementsEqual("HEAD ".utf8)), refusal)
    }

    private mutating func forgetBody() {
        shape = nil
        key = nil
        body = []
    }
}
