// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Why agentctl got no answer.
public enum ControlFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody listens there, or this user may not connect.
    case unreachable(UnixSocketError)
    /// The connection ended, or was silent for too long, before the answer.
    case noAnswer(String)
    /// Events are taken at that path: it is the ingest socket.
    case ingestSocket(path: String)
    /// The answer is not one of this protocol.
    case unintelligible(String)
    /// agentd answered that it did not do it.
    case refused(ControlError)

    public var description: String {
        switch self {
        case .unreachable(.system(_, let path, ENOENT)):
            "agentd is not running, or uses another control socket: there is no \(path)."
        case .unreachable(.system(_, let path, ECONNREFUSED)):
            "agentd is not running: nobody listens on \(path)."
        case .unreachable(.system(_, let path, EACCES)):
            "You may not connect to \(path). Join the group \(ControlServer.group), or use sudo."
        case .unreachable(let error): "agentd cannot be reached: \(error)"
        case .noAnswer(let reason): "agentd did not answer: \(reason)."
        case .ingestSocket(let path):
            "\(path) is agentd's ingest socket, which takes events. Give the control socket: listen.control_socket of "
                + "agent.conf, by default /run/agentd/control.sock."
        case .unintelligible(let reason):
            "agentd's answer cannot be understood (\(reason)). Are agentctl and agentd of the same version?"
        case .refused(let error): error.message
        }
    }
}

/// agentctl's end of the control socket. Blocks; use it from one thread.
public final class ControlClient {
    private let descriptor: Int32
    private let path: String
    private var received = LineBuffer()

    public init(path: String) throws(ControlFailure) {
        self.path = path
        do {
            descriptor = try UnixSocket.connect(path: path)
        } catch {
            throw .unreachable(error)
        }
    }

    deinit { close(descriptor) }

    /// - Parameter patience: how long to wait for the answer; longer than the request itself may take.
    public func status(patience: Duration = .seconds(10)) throws(ControlFailure) -> StatusReport {
        try ask(.status, patience: patience)
    }

    public func peek(_ request: PeekRequest) throws(ControlFailure) -> [EventReport] {
        try ask(.peek(request), patience: .seconds(60))
    }

    public func send(_ request: SendRequest) throws(ControlFailure) -> SendReport {
        try ask(.send(request), patience: .seconds(60))
    }

    public func flush(_ request: FlushRequest) throws(ControlFailure) -> FlushReport {
        // The comparison is false for what is no number, which agentd will refuse.
        let wait = request.timeoutSeconds <= ControlLimits.timeoutSeconds.upperBound ? request.timeoutSeconds : 0
        return try ask(.flush(request), patience: .seconds(max(0, wait) + 30))
    }

    public func pause(_ stream: StreamReference) throws(ControlFailure) -> PauseReport {
        try ask(.pause(stream), patience: .seconds(60))
    }

    public func resume(_ stream: StreamReference) throws(ControlFailure) -> PauseReport {
        try ask(.resume(stream), patience: .seconds(60))
    }

    public func deadLetters(_ query: DeadLetterQuery) throws(ControlFailure) -> [DeadLetterReport] {
        try ask(.deadLetters(query), patience: .seconds(60))
    }

    public func deadLetter(id: Int64) throws(ControlFailure) -> DeadLetterReport {
        try ask(.deadLetter(id: id), patience: .seconds(60))
    }

    /// Asks for step after step until all is done, or agentd stops.
    ///
    /// - Returns: What was done; also where a later step failed, which ``RequeueReport/stoppedBecause`` tells then.
    public func requeue(_ which: RequeueRequest.Which, dryRun: Bool) throws(ControlFailure) -> RequeueReport {
        var report = RequeueReport()
        var steps: [RequeueRequest] =
            switch which {
            case .stream: [RequeueRequest(which, dryRun: dryRun)]
            case .ids(let given):
                Self.groups(of: Set(given).sorted()).reversed().map { RequeueRequest(.ids($0), dryRun: dryRun) }
            }
        while let request = steps.popLast(), report.stoppedBecause == nil {
            do throws(ControlFailure) {
                let step: RequeueStep = try ask(.requeue(request), patience: .seconds(60))
                report.add(step)
                if let next = step.next {
                    steps.append(RequeueRequest(which, dryRun: dryRun, after: next.after, through: next.through))
                }
            } catch {
                if report == RequeueReport() { throw error }
                report.stoppedBecause = "\(error)"
            }
        }
        return report
    }

    private static func groups(of ids: [Int64]) -> [[Int64]] {
        stride(from: 0, to: ids.count, by: ControlLimits.idsPerRequest).map { start in
            Array(ids[start..<min(start + ControlLimits.idsPerRequest, ids.count)])
        }
    }

    private func askOnce<Answer: Decodable>(
        _ request: ControlRequest,
        patience: Duration
    ) throws(ControlFailure) -> Answer {
        var time = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let line: [UInt8]
        do {
            line = try ControlProtocol.encode(request)
        } catch {
            throw .refused(ControlError(.badRequest, "The request cannot be written: \(error)."))
        }
        guard line.count <= ControlProtocol.maxRequestBytes else {
            throw .refused(ControlError(.tooLarge, "The request is too large. Send fewer events at once."))
        }
        do throws(ControlFailure) {
            try write(line)
        } catch {
            // Why it does not read on may be what it has said before.
            if let answer: Result<Answer, ControlError> = try? decode(readLine()), case .failure(let refusal) = answer {
                throw .refused(refusal)
            }
            throw error
        }
        let answer: Result<Answer, ControlError> = try decode(readLine())
        switch answer {
        case .success(let value): return value
        case .failure(let refusal): throw .refused(refusal)
        }
    }

    /// Asks again for some seconds where others ask for too much: their turns are short.
    private func ask<Answer: Decodable>(
        _ request: ControlRequest,
        patience: Duration
    ) throws(ControlFailure) -> Answer {
        let end = ContinuousClock.now + .seconds(5)
        while true {
            do throws(ControlFailure) {
                return try askOnce(request, patience: patience)
            } catch {
                guard case .refused(let refusal) = error, refusal.code == .unavailable, request.lane != .waiting,
                    ContinuousClock.now < end
                else { throw error }
                usleep(50_000)
            }
        }
    }

    private func decode<Answer: Decodable>(_ line: [UInt8]) throws(ControlFailure) -> Result<Answer, ControlError> {
        do {
            return try ControlProtocol.decodeAnswer(line)
        } catch {
            if ControlProtocol.isOfIngest(line) { throw .ingestSocket(path: path) }
            throw .unintelligible(ControlProtocol.reason(error))
        }
    }

    private func write(_ bytes: [UInt8]) throws(ControlFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                // MSG_NOSIGNAL: an agentd that has gone is a sentence, not SIGPIPE.
                Glibc.send(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw silence(errno) }
            written += count
        }
    }

    private func readLine() throws(ControlFailure) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if let line = received.next() { return line }
            let count = read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw silence(errno) }
            guard count > 0 else { throw silence(EPIPE) }
            received.append(block[..<count])
        }
    }

    private func silence(_ number: Int32) -> ControlFailure {
        switch number {
        case EAGAIN: .noAnswer("it took too long")
        case EPIPE, ECONNRESET:
            .noAnswer("it closed the connection, because it is stopping or others ask too much of it. Try again")
        default: .noAnswer(String(cString: strerror(number)))
        }
    }
}
