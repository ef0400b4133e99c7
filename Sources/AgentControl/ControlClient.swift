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

    /// Asks again for some seconds where others ask for too much: their turns are short.
    ///
    /// - Parameter patience: how long to wait for the answer; `nil`: as long as the verb says.
    public func ask<Verb: ControlVerb>(
        _ request: Verb,
        patience: Duration? = nil
    ) throws(ControlFailure) -> Verb.Answer {
        let end = ContinuousClock.now + .seconds(5)
        while true {
            do throws(ControlFailure) {
                return try askOnce(request, patience: patience ?? request.patience)
            } catch {
                guard case .refused(let refusal) = error, refusal.code == .unavailable, request.lane != .waiting,
                    ContinuousClock.now < end
                else { throw error }
                usleep(50_000)
            }
        }
    }

    private func askOnce<Verb: ControlVerb>(
        _ request: Verb,
        patience: Duration
    ) throws(ControlFailure) -> Verb.Answer {
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
            if let answer: Result<Verb.Answer, ControlError> = try? decode(readLine()),
                case .failure(let refusal) = answer
            {
                throw .refused(refusal)
            }
            throw error
        }
        let answer: Result<Verb.Answer, ControlError> = try decode(readLine())
        switch answer {
        case .success(let value): return value
        case .failure(let refusal): throw .refused(refusal)
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
