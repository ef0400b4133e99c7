// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Why agentctl got no answer.
public enum ControlFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody listens there, or this user may not connect.
    case unreachable(UnixSocketError)
    /// The connection ended, or was silent for too long, before the answer.
    case noAnswer(String)
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
        case .unintelligible(let reason):
            "agentd's answer cannot be understood (\(reason)). Are agentctl and agentd of the same version?"
        case .refused(let error): error.message
        }
    }
}

/// agentctl's end of the control socket. Blocks; use it from one thread.
public final class ControlClient {
    private let descriptor: Int32
    private var received: [UInt8] = []

    public init(path: String) throws(ControlFailure) {
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
        try ask(.flush(request), patience: .seconds(request.timeoutSeconds + 30))
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

    public func requeue(_ request: RequeueRequest) throws(ControlFailure) -> RequeueReport {
        try ask(.requeue(request), patience: .seconds(600))
    }

    private func ask<Answer: Decodable>(
        _ request: ControlRequest,
        patience: Duration
    ) throws(ControlFailure) -> Answer {
        var time = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let answer: Result<Answer, ControlError>
        do {
            let line = try ControlProtocol.encode(request)
            guard line.count <= ControlProtocol.maxRequestBytes else {
                throw ControlFailure.refused(
                    ControlError(.tooLarge, "The request is too large. Send fewer events at once.")
                )
            }
            try write(line)
            answer = try ControlProtocol.decodeAnswer(try readLine())
        } catch let failure as ControlFailure {
            throw failure
        } catch {
            throw .unintelligible("\(error)")
        }
        switch answer {
        case .success(let value): return value
        case .failure(let error): throw .refused(error)
        }
    }

    private func write(_ bytes: [UInt8]) throws(ControlFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { throw .noAnswer("it took too long") }
            guard count > 0 else { throw .noAnswer(String(cString: strerror(errno))) }
            written += count
        }
    }

    private func readLine() throws(ControlFailure) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 64 << 10)
        var searched = 0
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                return line
            }
            searched = received.count
            let count = read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { throw .noAnswer("it took too long") }
            if count < 0 { throw .noAnswer(String(cString: strerror(errno))) }
            guard count > 0 else { throw .noAnswer("it closed the connection") }
            received += block[..<count]
        }
    }
}
