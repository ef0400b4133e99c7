// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// One connection of the control server: a request at a time, each answered before the next is looked at.
// Guarded by `queue`: each entry point checks that it runs there.
final class ControlConnection: @unchecked Sendable {
    private let socket: SocketOwner
    private let queue: DispatchQueue
    private let handler: any ControlHandler
    private var reader: (any DispatchSourceRead)?
    private var writer: (any DispatchSourceWrite)?
    private var received: [UInt8] = []
    /// How much of `received` is known to hold no line end.
    private var searched = 0
    private var toWrite: [UInt8] = []
    private var written = 0
    /// Counts requests, so that a second reply to one is not taken for the reply to the next.
    private var request: UInt64 = 0
    private var isBusy = false
    /// The client says no more; it may still read.
    private var hasEnded = false
    private var closesAfterWriting = false
    private var isClosed = false

    private var descriptor: Int32 { socket.descriptor }

    /// Whether it may be closed to make room: nobody waits for an answer, or it looks as if nobody did.
    var isExpendable: Bool { !isBusy || hasEnded }

    /// When the connection last had a request, on the server's count of uses.
    var lastUse: UInt64 = 0
    var onUse: (() -> Void)?
    var onClose: (() -> Void)?

    init(descriptor: Int32, queue: DispatchQueue, handler: any ControlHandler) {
        self.socket = SocketOwner(descriptor)
        self.queue = queue
        self.handler = handler
    }

    func start() {
        dispatchPrecondition(condition: .onQueue(queue))
        onUse?()
        let reader = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        reader.setEventHandler { [weak self] in self?.read() }
        reader.setCancelHandler { [socket] in _ = socket }
        self.reader = reader
        reader.activate()
    }

    func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed else { return }
        isClosed = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        reader?.cancel()
        writer?.cancel()
        (reader, writer) = (nil, nil)
        onClose?()
    }

    // MARK: Requests

    private func read() {
        dispatchPrecondition(condition: .onQueue(queue))
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while !isClosed {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            guard count >= 0 else { return close() }
            guard count > 0 else {
                // A client may close its half and still want the answers to what it has asked.
                hasEnded = true
                reader?.cancel()
                reader = nil
                break
            }
            received += block[..<count]
            if received.count > ControlProtocol.maxRequestBytes {
                let error = ControlError(
                    .tooLarge,
                    "A request is at most \(ControlProtocol.maxRequestBytes >> 20) MiB. Send fewer events at once."
                )
                closesAfterWriting = true
                return write(ControlProtocol.encode(Result<Bool, _>.failure(error)))
            }
        }
        takeRequest()
    }

    private func takeRequest() {
        guard !isClosed, !isBusy, toWrite.isEmpty, !closesAfterWriting else { return }
        guard let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = received.count
            if hasEnded { close() }
            return
        }
        let line = Array(received[..<end])
        received.removeSubrange(...end)
        searched = 0
        isBusy = true
        request += 1
        onUse?()
        do throws(ControlError) {
            let decoded = try ControlProtocol.decodeRequest(line)
            handler.handle(decoded) { [weak self, queue, request] answer in
                queue.async { [weak self] in self?.answered(request, answer) }
            }
        } catch {
            answered(request, ControlProtocol.encode(Result<Bool, _>.failure(error)))
        }
    }

    private func answered(_ number: UInt64, _ answer: [UInt8]) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed, isBusy, number == request else { return }
        isBusy = false
        write(answer)
    }

    // MARK: Answers

    private func write(_ bytes: [UInt8]) {
        toWrite = bytes
        written = 0
        writeOn()
    }

    private func writeOn() {
        dispatchPrecondition(condition: .onQueue(queue))
        while written < toWrite.count {
            let count = toWrite.withUnsafeBytes { bytes in
                // MSG_NOSIGNAL: a client that has gone is no reason to get SIGPIPE.
                send(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return waitForRoom() }
            guard count > 0 else { return close() }
            written += count
        }
        toWrite = []
        written = 0
        writer?.cancel()
        writer = nil
        if closesAfterWriting { return close() }
        takeRequest()
    }

    private func waitForRoom() {
        guard writer == nil else { return }
        let writer = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
        writer.setEventHandler { [weak self] in self?.writeOn() }
        writer.setCancelHandler { [socket] in _ = socket }
        self.writer = writer
        writer.activate()
    }
}

/// Closes a descriptor when nobody uses it any more: a descriptor must not be closed, and its number given to the next
/// connection, while a Dispatch source still watches it.
private final class SocketOwner: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
