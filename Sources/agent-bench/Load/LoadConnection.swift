// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// One connection to the agent: writes requests, and takes what is acknowledged.
final class LoadConnection {
    private struct Waiting {
        /// The request is done when so many events of the connection are acknowledged.
        let through: Int
        let sentAt: UInt64
    }

    let descriptor: Int32
    private var request: RequestTemplate
    private var answers: AnswerReader
    /// How many requests may be unanswered at once.
    private let depth: Int
    private var waiting: [Waiting] = []
    /// Of the request's bytes; all of them when none is being written.
    private var written: Int
    private var sentEvents = 0
    private var ackedEvents = 0

    init(to address: Address, _ request: RequestTemplate, answers: AnswerReader.Format, depth: Int) throws(BenchError) {
        descriptor = try address.connect()
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        self.request = request
        self.answers = AnswerReader(answers)
        self.depth = depth
        written = request.bytes.count
    }

    deinit { close(descriptor) }

    var eventsPerRequest: Int { request.events }
    var isWriting: Bool { written < request.bytes.count }
    var isIdle: Bool { waiting.isEmpty }
    var canBegin: Bool { !isWriting && waiting.count < depth }

    func begin(firstEvent: Int, now: UInt64) throws(BenchError) {
        request.renumber(from: firstEvent)
        sentEvents += request.events
        waiting.append(Waiting(through: sentEvents, sentAt: now))
        written = 0
        try write()
    }

    func write() throws(BenchError) {
        while isWriting {
            let count = request.bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { throw .system(call: "write", object: "to the agent", errno: errno) }
            written += count
        }
    }

    /// Takes the answers that are there, and records how long each request waited for its own.
    func read(into block: UnsafeMutableRawBufferPointer, now: UInt64, _ latencies: inout Histogram) throws(BenchError) {
        while true {
            let count = recv(descriptor, block.baseAddress, block.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count >= 0 else { throw .system(call: "read", object: "from the agent", errno: errno) }
            guard count > 0 else { throw .refused("it closed a connection.") }
            ackedEvents += try answers.read(UnsafeRawBufferPointer(rebasing: block[..<count]))
            while let first = waiting.first, first.through <= ackedEvents {
                latencies.record(now - first.sentAt)
                waiting.removeFirst()
            }
            if ackedEvents > sentEvents {
                throw .miscounted("The agent acknowledged \(ackedEvents) events where \(sentEvents) were sent.")
            }
            if count < block.count { return }
        }
    }
}
