// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// The server that a connection belongs to. All on the server's queue.
protocol ControlConnectionOwner: AnyObject {
    /// Something was read or written, or waits to be. May close connections, this one included.
    func moved(_ connection: ControlConnection)
    func admits(_ connection: ControlConnection, to lane: ControlLane) -> ControlAdmission<ObjectIdentifier>.Decision
    /// A request that was admitted, at once or for later, is over.
    func left(_ connection: ControlConnection, _ lane: ControlLane)
    func closed(_ connection: ControlConnection)
}

/// One connection of the control server: a request at a time, each answered before the next is looked at.
// Guarded by `queue`: each entry point checks that it runs there.
final class ControlConnection: @unchecked Sendable {
    private enum Phase {
        /// Reads, until there is a request.
        case idle
        /// Has a request whose turn comes later.
        case later(ControlCall, ControlLane)
        case working(ControlLane)
        /// Has an answer that the client has not read.
        case writing
        case closed
    }

    /// What may arrive of further requests before the one that is worked on is answered.
    private static let bytesAhead = 64 << 10

    private let socket: DescriptorOwner
    private let queue: DispatchQueue
    private let desk: ControlDesk
    private weak var owner: (any ControlConnectionOwner)?
    private var phase = Phase.idle
    private var reader: (any DispatchSourceRead)?
    private var isReading = true
    private var writer: (any DispatchSourceWrite)?
    private var input = LineBuffer()
    private var requestBytes = 0
    private var output: [UInt8] = []
    private var written = 0
    /// Counts requests, so that a second reply to one is not taken for the reply to the next.
    private var request: UInt64 = 0
    /// Ends the wait of the request that is worked on.
    private var abandon: (@Sendable () -> Void)?
    /// The client says no more; it may still read.
    private var hasEnded = false
    private var endsAfterWriting = false

    /// When something last moved.
    var lastMove = DispatchTime.now()

    init(_ socket: DescriptorOwner, queue: DispatchQueue, desk: ControlDesk, owner: any ControlConnectionOwner) {
        self.socket = socket
        self.queue = queue
        self.desk = desk
        self.owner = owner
    }

    private var descriptor: Int32 { socket.descriptor }

    /// Memory that it takes: what has arrived, the request that is worked on, and what the client has not read.
    var heldBytes: Int { input.count + requestBytes + output.count - written }

    /// How ready it is to make room for another, the readiest first; `nil`: somebody waits for an answer.
    var expendability: Int? {
        switch phase {
        case .idle where input.isEmpty && hasInput: nil
        case .idle: input.isEmpty ? 0 : 1
        case .writing: 2
        case .working: hasEnded ? 3 : nil
        case .later, .closed: nil
        }
    }

    /// Whether it waits for something that takes long, and the client has gone.
    var waitsInVain: Bool {
        if case .working(.waiting) = phase { return polls(for: 0, POLLHUP) }
        return false
    }

    func start() {
        dispatchPrecondition(condition: .onQueue(queue))
        let reader = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        reader.setEventHandler { [weak self] in self?.read() }
        reader.setCancelHandler { [socket] in _ = socket }
        self.reader = reader
        reader.activate()
        owner?.moved(self)
    }

    func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        let phase = phase
        if case .closed = phase { return }
        self.phase = .closed
        abandon?()
        abandon = nil
        (input, output, written, requestBytes) = (LineBuffer(), [], 0, 0)
        shutdown(descriptor, Int32(SHUT_RDWR))
        endReading()
        writer?.cancel()
        writer = nil
        switch phase {
        case .later(_, let lane), .working(let lane): owner?.left(self, lane)
        case .idle, .writing, .closed: break
        }
        owner?.closed(self)
    }

    /// Answers what the client is about to say, and closes.
    func refuse(_ error: ControlError) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard case .idle = phase else { return close() }
        endsAfterWriting = true
        input = LineBuffer()
        write(ControlProtocol.encode(Result<Bool, _>.failure(error)))
    }

    // MARK: Requests

    private func read() {
        dispatchPrecondition(condition: .onQueue(queue))
        var block = [UInt8](repeating: 0, count: 64 << 10)
        // Not until there is no more: others get their turn.
        for _ in 0..<16 where wantsMore {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            guard count >= 0 else { return close() }
            guard count > 0 else {
                // A client may close its half and still want the answers to what it has asked.
                hasEnded = true
                endReading()
                if waitsInVain { return close() }
                break
            }
            input.append(block[..<count])
            owner?.moved(self)
        }
        advance()
    }

    private var wantsMore: Bool {
        guard !hasEnded, !endsAfterWriting else { return false }
        return switch phase {
        case .idle: input.count <= ControlProtocol.maxRequestBytes
        case .later, .working, .writing: input.count < Self.bytesAhead
        case .closed: false
        }
    }

    /// A suspended source must be resumed before it goes.
    private func endReading() {
        if !isReading { reader?.resume() }
        isReading = true
        reader?.cancel()
        reader = nil
    }

    private func setReading() {
        guard let reader, isReading != wantsMore else { return }
        isReading.toggle()
        if isReading { reader.resume() } else { reader.suspend() }
    }

    /// Takes requests until one is not answered at once, or there is none.
    func advance() {
        dispatchPrecondition(condition: .onQueue(queue))
        defer { setReading() }
        for _ in 0..<64 {
            guard case .idle = phase, !endsAfterWriting else { return }
            let line = input.next()
            if line?.count ?? input.count > ControlProtocol.maxRequestBytes {
                let limit = ControlProtocol.maxRequestBytes >> 20
                return refuse(
                    ControlError(.tooLarge, "A request is at most \(limit) MiB. Send fewer events at once.")
                )
            }
            guard let line else {
                if hasEnded { close() }
                return
            }
            take(line)
        }
        queue.async { [weak self] in self?.advance() }
    }

    private func take(_ line: [UInt8]) {
        owner?.moved(self)
        guard case .idle = phase, let owner else { return }
        do throws(ControlError) {
            let call = try desk.read(line)
            let lane = call.request.lane
            switch owner.admits(self, to: lane) {
            case .begin:
                requestBytes = line.count
                begin(call, lane)
            case .later:
                requestBytes = line.count
                phase = .later(call, lane)
            case .refuse: throw lane.refusal
            }
        } catch {
            write(ControlProtocol.encode(Result<Bool, _>.failure(error)))
        }
    }

    /// The turn of the request that was admitted for later.
    func begin() {
        dispatchPrecondition(condition: .onQueue(queue))
        if case .later(let call, let lane) = phase { begin(call, lane) }
    }

    private func begin(_ call: ControlCall, _ lane: ControlLane) {
        phase = .working(lane)
        request += 1
        abandon = call.begin { [weak self, queue, request] answer in
            queue.async { [weak self] in self?.answered(request, answer) }
        }
    }

    private func answered(_ number: UInt64, _ answer: [UInt8]) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard case .working(let lane) = phase, number == request else { return }
        abandon = nil
        requestBytes = 0
        write(answer)
        owner?.left(self, lane)
        advance()
    }

    // MARK: Answers

    private func write(_ bytes: [UInt8]) {
        phase = .writing
        output = bytes
        written = 0
        writeOn()
    }

    private func writeOn() {
        dispatchPrecondition(condition: .onQueue(queue))
        while written < output.count {
            let count = output.withUnsafeBytes { bytes in
                // MSG_NOSIGNAL: a client that has gone is no reason to get SIGPIPE.
                send(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return waitForRoom() }
            guard count > 0 else { return close() }
            written += count
        }
        (output, written) = ([], 0)
        writer?.cancel()
        writer = nil
        phase = .idle
        if endsAfterWriting { close() }
    }

    private func waitForRoom() {
        if writer == nil {
            let writer = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
            writer.setEventHandler { [weak self] in
                self?.writeOn()
                self?.advance()
            }
            writer.setCancelHandler { [socket] in _ = socket }
            self.writer = writer
            writer.activate()
        }
        owner?.moved(self)
    }

    // MARK: The client

    /// What has arrived and was not read yet.
    private var hasInput: Bool { polls(for: POLLIN, POLLIN) }

    private func polls(for wanted: Int32, _ found: Int32) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(wanted), revents: 0)
        return poll(&state, 1, 0) > 0 && Int32(state.revents) & found != 0
    }
}
